import fs from "node:fs";
import { resolve } from "node:path";
import { quoteWord } from "./plan/shell-word.js";
import { SETUP_FILE } from "./setup-file.js";

/** Where sudo looks for programs, whatever PATH its caller has: its secure_path on Debian, Fedora and most others is a part of this. */
const SECURE_DIRECTORIES = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/**
 * One of our own commands for root, as a person who has not become root for good would give it. sudo does not search that person's PATH,
 * on which agentbus and Node may be all the same.
 */
export function asRootCommand(args: string): string {
  if (process.geteuid?.() === 0 && process.env["SUDO_USER"] === undefined) return `agentbus ${args}`;
  const isFound = ["agentbus", "node"].every((program) =>
    SECURE_DIRECTORIES.some((dir) => isExecutable(`${dir}/${program}`)),
  );
  return isFound ? `sudo agentbus ${args}` : `sudo env "PATH=$PATH" agentbus ${args}`;
}

/** The argument that names this agentbus.json; "" for the one that is read anyway. With a space before it. */
export function fileArgument(path: string): string {
  return path === resolve(SETUP_FILE) ? "" : ` ${quoteWord(path)}`;
}

function isExecutable(path: string): boolean {
  try {
    fs.accessSync(path, fs.constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
