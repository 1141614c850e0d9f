import { execFileSync } from "node:child_process";
import type { Machine } from "./examined.js";
import { readProc } from "./proc.js";

export interface Mount {
  /** Where it is mounted. */
  readonly dir: string;
  /** "ext4", "nfs4", "fuse.sshfs", "apfs" … */
  readonly type: string;
  readonly source: string;
  readonly options: ReadonlySet<string>;
}

/** What is mounted, later mounts after those that they cover. Empty where that cannot be told. */
export function readMounts(machine: Machine): Mount[] {
  if (machine.platform === "darwin") return parseMountOutput(macMounts());
  return parseMountInfo(readProc(machine, "self/mountinfo") ?? "");
}

/** proc_pid_mountinfo(5): "27 1 254:0 / /var rw,relatime shared:1 - ext4 /dev/vda rw". */
export function parseMountInfo(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , , dir, options] = before.split(" ");
    const [type, source, superOptions = ""] = after.split(" ");
    if (dir === undefined || options === undefined || type === undefined || type === "") return [];
    const all = new Set([...options.split(","), ...superOptions.split(",")]);
    // A read-only mount of a writable filesystem, or the other way round, is read-only.
    return [{ dir: unescapeOctal(dir), type, source: unescapeOctal(source ?? ""), options: all }];
  });
}

/** mount(8) of macOS: "/dev/disk4s1 on /Volumes/Bus (apfs, local, nodev, nosuid, noowners)". */
export function parseMountOutput(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [, source, dir, list] = /^(.*?) on (\/.*) \(([^()]*)\)$/.exec(line) ?? [];
    const [type, ...options] = list?.split(", ") ?? [];
    if (source === undefined || dir === undefined || type === undefined) return [];
    return [{ dir, type, source, options: new Set(options) }];
  });
}

/** The mount that a path is on. @param path absolute and real */
export function mountOf(mounts: readonly Mount[], path: string): Mount | undefined {
  let found: Mount | undefined;
  for (const mount of mounts) {
    if (isAtOrBelow(path, mount.dir) && mount.dir.length >= (found?.dir.length ?? 0)) found = mount;
  }
  return found;
}

export function isAtOrBelow(path: string, dir: string): boolean {
  return path === dir || path.startsWith(dir.endsWith("/") ? dir : `${dir}/`);
}

/** Spaces, tabs, newlines and backslashes stand there as \040 and the like. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function macMounts(): string {
  try {
    return execFileSync("/sbin/mount", { encoding: "utf8", timeout: 5_000, env: { LC_ALL: "C" } });
  } catch {
    return "";
  }
}
