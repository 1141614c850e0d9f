import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Debian keeps servers where the PATH of an ordinary account does not look. */
const SERVER_DIRS = ["/usr/sbin", "/usr/local/sbin"];

/** @returns where a program is, or undefined where it is not installed */
export function findProgram(name: string): string | undefined {
  const dirs = [...(process.env["PATH"] ?? "").split(delimiter), ...SERVER_DIRS];
  return dirs.map((dir) => join(dir, name)).find(isExecutable);
}

/** What `Transport.missing` says of a program that a Debian package brings. */
export function missingProgram(name: string, debianPackage = name): string | undefined {
  return findProgram(name) === undefined ? `apt-get install ${debianPackage}` : undefined;
}

/** What `Transport.missing` says of an npm package that cannot be installed everywhere. */
export function missingPackage(name: string, remedy: string): string | undefined {
  try {
    import.meta.resolve(name);
    return undefined;
  } catch {
    return remedy;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
