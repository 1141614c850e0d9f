import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { BusError } from "@agentbus/core";
import { quoteWord } from "../plan/shell-word.js";

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY, O_NOCTTY } = fs.constants;

/** A path that somebody but root could turn elsewhere while root works on it. */
export class UnsafePath extends BusError {
  declare readonly path: string;

  constructor(path: string, why: string) {
    super("ERR_SETUP_CONFLICT", `${path} ${why}`, { path, fix: `look at it: ls -ld ${quoteWord(path)}` });
  }
}

/** The text of a file of root's. undefined when there is none. @throws UnsafePath, the system's error */
export function readRootFile(path: string, maxBytes: number): string | undefined {
  let fd: number;
  try {
    requireRootsDirectories(path);
    fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    if (errnoOf(error) === "ELOOP") throw new UnsafePath(path, "is a symbolic link");
    throw error;
  }
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isFile()) throw new UnsafePath(path, "is no regular file");
    if (stat.size > maxBytes) throw new UnsafePath(path, `is larger than ${maxBytes} bytes`);
    const buffer = Buffer.alloc(maxBytes + 1);
    let length = 0;
    for (let bytes = -1; bytes !== 0 && length < buffer.length; length += bytes) {
      bytes = fs.readSync(fd, buffer, length, buffer.length - length, null);
    }
    if (length > maxBytes) throw new UnsafePath(path, `is larger than ${maxBytes} bytes`);
    return buffer.toString("utf8", 0, length);
  } finally {
    fs.closeSync(fd);
  }
}

export interface RootFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Puts a file in its place whole or not at all. Until its owner and mode are right it has a name with a dot at its beginning, which
 * sudo, systemd, tmpfiles and launchd ignore.
 * @param check looks at the staged file; what it throws leaves everything as it was
 */
export async function writeRootFile(
  { path, text, mode, uid, gid }: RootFile,
  check: (stagedPath: string) => Promise<void>,
): Promise<void> {
  requireRootsDirectories(path);
  const stagedPath = join(dirname(path), `.agentbus.${randomBytes(6).toString("hex")}.${basename(path)}`);
  const fd = fs.openSync(stagedPath, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    try {
      fs.writeFileSync(fd, text);
      fs.fchownSync(fd, uid, gid);
      // After the owner, which takes special bits away; and whatever the umask was.
      fs.fchmodSync(fd, mode);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    await check(stagedPath);
    fs.renameSync(stagedPath, path);
  } catch (error) {
    fs.rmSync(stagedPath, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

/** What staging left behind that was killed before it could rename. */
export function removeStaged(dir: string): void {
  for (const name of namesIn(dir)) {
    if (/^\.agentbus\.[0-9a-f]{12}\./.test(name)) fs.rmSync(join(dir, name), { force: true });
  }
}

export function removeRootFile(path: string): void {
  requireRootsDirectories(path);
  fs.rmSync(path, { force: true });
  syncDirectory(dirname(path));
}

export interface OwnerAndMode {
  readonly uid: number;
  /** undefined: as it is */
  readonly gid?: number | undefined;
  /** undefined: as it is */
  readonly mode?: number | undefined;
}

/** Owner and mode, by a descriptor that was judged: never those of what a link leads to. */
export function setOwnerAndMode(path: string, { uid, gid, mode }: OwnerAndMode): void {
  requireRootsDirectories(path);
  const fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isFile() && !stat.isDirectory()) throw new UnsafePath(path, "is neither a file nor a directory");
    // A second name of a file could be anything of root's.
    if (stat.isFile() && stat.nlink !== 1) throw new UnsafePath(path, "has more than one name");
    if (stat.uid !== uid || (gid !== undefined && stat.gid !== gid)) fs.fchownSync(fd, uid, gid ?? stat.gid);
    if (mode !== undefined) fs.fchmodSync(fd, mode);
  } finally {
    fs.closeSync(fd);
  }
}

/** All directories above a path must be root's, and nobody else's to write to. @throws UnsafePath, ENOENT where one is missing */
export function requireRootsDirectories(path: string): void {
  // Where one is a link (macOS: /etc, /var, /tmp), both ways count.
  const real = fs.realpathSync(dirname(path));
  for (const dir of new Set([...ancestors(path), ...ancestors(join(real, "x"))])) {
    const stat = fs.lstatSync(dir);
    if (stat.uid !== 0) throw new UnsafePath(dir, `belongs to uid ${stat.uid}, not to root`);
    if (stat.isSymbolicLink()) continue;
    const isSticky = (stat.mode & 0o1000) !== 0;
    if ((stat.mode & 0o002) !== 0 && !isSticky) throw new UnsafePath(dir, "may be written to by everybody");
    if ((stat.mode & 0o020) !== 0 && !isSticky && stat.gid !== 0)
      throw new UnsafePath(dir, "may be written to by its group");
  }
}

function ancestors(path: string): string[] {
  const dirs: string[] = [];
  for (let dir = dirname(path); ; dir = dirname(dir)) {
    dirs.push(dir);
    if (dir === dirname(dir)) return dirs;
  }
}

function namesIn(dir: string): string[] {
  try {
    return fs.readdirSync(dir);
  } catch {
    return [];
  }
}

/** So that a name that was reported as written is there after a power cut. */
function syncDirectory(dir: string): void {
  const fd = fs.openSync(dir, O_RDONLY | O_DIRECTORY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function errnoOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
