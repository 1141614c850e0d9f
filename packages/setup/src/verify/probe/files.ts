import fs from "node:fs";
import { attempt, type Attempt } from "./attempt.js";

const { O_RDONLY, O_NONBLOCK, O_NOCTTY, O_DIRECTORY } = fs.constants;
const { W_OK, X_OK } = fs.constants;
/** More entries of one directory than this are not looked at. */
const MAX_ENTRIES = 20_000;
/** More of one kind need not be named. */
const MAX_NAMED = 20;

/**
 * Opens files for reading and lists directories. What is neither is left alone, so that nothing waits for a FIFO and no device
 * does anything; links are followed, as whoever wants to read would.
 */
export function tryReading(paths: readonly string[]): Attempt[] {
  return paths.map((path) => attempt(path, () => openForReading(path)));
}

/** Whether names in a directory can be used, whether or not they can be listed. */
export function tryEntering(paths: readonly string[]): Attempt[] {
  return paths.map((path) => attempt(path, () => fs.accessSync(path, X_OK)));
}

/**
 * Whether a file can be written to, or something put into a directory: access(2), since an attempt would change it. The kernel answers
 * it as it would the attempt, with modes, access lists and mounts.
 */
export function tryWriting(paths: readonly string[]): Attempt[] {
  return paths.map((path) => attempt(path, () => accessForWriting(path)));
}

/** Of the files in directories, links followed, those that can be written to. */
export function writableFilesIn(dirs: readonly string[]): string[] {
  const real = new Set(dirs.flatMap((dir) => realPathOf(dir) ?? []));
  const paths = [...real].flatMap((dir) => namesIn(dir).map((name) => `${dir}/${name}`));
  return paths.filter(isWritableFile).slice(0, MAX_NAMED);
}

/** Whether a program can be started. */
export function tryExecuting(path: string): Attempt {
  return attempt(path, () => fs.accessSync(path, X_OK));
}

export interface OwnFile {
  readonly kind: "file" | "directory" | "link" | "other";
  readonly uid: number;
  readonly mode: number;
  readonly size: number;
}

/** What something of the account's own is, without following a link in its last component; null: there is nothing. */
export function lookAt(path: string): OwnFile | null {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return null;
  const kind = stat.isFile() ? "file" : stat.isDirectory() ? "directory" : stat.isSymbolicLink() ? "link" : "other";
  return { kind, uid: stat.uid, mode: stat.mode & 0o7777, size: stat.size };
}

function openForReading(path: string): boolean {
  const stat = fs.statSync(path);
  if (!stat.isDirectory() && !stat.isFile()) return false;
  const kind = stat.isDirectory() ? O_DIRECTORY : O_NOCTTY;
  const fd = fs.openSync(path, O_RDONLY | O_NONBLOCK | kind);
  fs.closeSync(fd);
  return true;
}

function accessForWriting(path: string): boolean {
  const stat = fs.statSync(path);
  if (!stat.isDirectory() && !stat.isFile() && !stat.isSocket() && !stat.isBlockDevice()) return false;
  fs.accessSync(path, stat.isDirectory() ? W_OK | X_OK : W_OK);
  return true;
}

/** Devices do not count: a masked unit is a link to /dev/null. */
function isWritableFile(path: string): boolean {
  try {
    fs.accessSync(path, W_OK);
    return fs.statSync(path).isFile();
  } catch {
    return false;
  }
}

/** /bin is a link to /usr/bin on most systems. */
function realPathOf(dir: string): string | undefined {
  try {
    return fs.realpathSync(dir);
  } catch {
    return undefined;
  }
}

function namesIn(dir: string): string[] {
  try {
    return fs.readdirSync(dir).slice(0, MAX_ENTRIES);
  } catch {
    return [];
  }
}
