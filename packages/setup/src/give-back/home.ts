import fs, { type Stats } from "node:fs";
import { octal } from "@agentbus/core";
import { DRAFT_SUFFIX } from "../plan/home-files.js";

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs.constants;
/** More than that is no file that somebody has written for a shell. */
const MAX_BYTES = 1024 * 1024;

/** What is not touched, and why: a sentence about it. */
export class Unfit extends Error {}

/** A file that was judged by its descriptor. */
export interface HomeFile {
  readonly path: string;
  readonly fd: number;
  readonly stat: Stats;
}

/**
 * A home, for a process that is its account already. It could do itself whatever it leads this process to; still nothing in it is waited
 * for, no link is followed but one that was there before setup, and only files of its own are changed.
 */
export class Home {
  readonly dir: string;
  readonly name: string;
  readonly #uid: number;
  readonly #links: ReadonlySet<string>;
  readonly #say: (note: string) => void;

  /** @param links directories that were links before setup, and may lead elsewhere */
  constructor(
    { home, name, uid }: { readonly home: string; readonly name: string; readonly uid: number },
    links: ReadonlySet<string>,
    say: (note: string) => void,
  ) {
    this.dir = home;
    this.name = name;
    this.#uid = uid;
    this.#links = links;
    this.#say = say;
  }

  say(note: string): void {
    this.#say(note);
  }

  /** What cannot be done about one file is said, and the others go on. @param advice what a person can do about it */
  attempt(path: string, advice: string, task: () => void): void {
    try {
      task();
    } catch (error) {
      const isExpected = error instanceof Unfit || (error as NodeJS.ErrnoException).syscall !== undefined;
      if (!isExpected) throw error;
      this.say(
        `${this.dir}/${path} ${error instanceof Unfit ? error.message : `cannot be changed: ${String(error)}`}; ${advice}`,
      );
    }
  }

  /** @param mayBeLink it was one before setup @throws Unfit, the system's error */
  withFile(path: string, mayBeLink: boolean, task: (file: HomeFile) => void): void {
    this.#requireDirectories(path);
    const file = this.#open(`${this.dir}/${path}`, mayBeLink);
    if (file === undefined) return;
    try {
      if (!file.stat.isFile()) throw new Unfit("is no file");
      if (file.stat.uid !== this.#uid) throw new Unfit(`belongs to uid ${file.stat.uid}`);
      task(file);
    } finally {
      fs.closeSync(file.fd);
    }
  }

  /** @throws Unfit */
  read({ fd, stat }: HomeFile): Buffer {
    if (stat.size > MAX_BYTES) throw new Unfit(`is larger than ${MAX_BYTES} bytes`);
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    let length = 0;
    for (let bytes = -1; bytes !== 0 && length < buffer.length; length += bytes) {
      bytes = fs.readSync(fd, buffer, length, buffer.length - length, null);
    }
    if (length > MAX_BYTES) throw new Unfit(`is larger than ${MAX_BYTES} bytes`);
    return buffer.subarray(0, length);
  }

  /** Whole or not at all; but where a file has other names, or a group that cannot be given to another, in its place. */
  replace(file: HomeFile, bytes: Buffer, mode: number): void {
    const draft = `${file.path}${DRAFT_SUFFIX}`;
    fs.rmSync(draft, { force: true });
    const fd = fs.openSync(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      writeAll(fd, bytes);
      const isLike = file.stat.nlink === 1 && hasGroup(fd, file.stat.gid);
      fs.fchmodSync(fd, mode);
      fs.fsyncSync(fd);
      requireUnchanged(file);
      if (isLike) fs.renameSync(draft, file.path);
      else overwrite(file, bytes, mode);
    } finally {
      fs.closeSync(fd);
      fs.rmSync(draft, { force: true });
    }
  }

  removeDraft(path: string): void {
    try {
      if (fs.lstatSync(`${this.dir}/${path}`).isFile()) fs.rmSync(`${this.dir}/${path}`);
    } catch {
      // There is none, or its owner has shut it away.
    }
  }

  /** One that holds something stays. */
  removeEmptyDirectory(path: string): void {
    try {
      this.#requireDirectories(path);
      fs.rmdirSync(`${this.dir}/${path}`);
    } catch {
      // It is not empty, or is none: then it is the account's by now.
    }
  }

  /** So that none of them leads elsewhere. */
  #requireDirectories(path: string): void {
    const parts = path.split("/");
    for (let length = 1; length < parts.length; length++) {
      const parent = parts.slice(0, length).join("/");
      const stat = fs.lstatSync(`${this.dir}/${parent}`, { throwIfNoEntry: false });
      if (stat?.isSymbolicLink() === true && this.#links.has(parent)) continue;
      if (stat !== undefined && !stat.isDirectory()) throw new Unfit(`lies below ${parent}, which is no directory`);
    }
  }

  #open(path: string, mayBeLink: boolean): HomeFile | undefined {
    try {
      const fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
      return { path, fd, stat: fs.fstatSync(fd) };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return undefined;
      // FreeBSD's kernel, from which macOS's comes, says EMLINK.
      if (code !== "ELOOP" && code !== "EMLINK") throw error;
      if (!mayBeLink) throw new Unfit("is a symbolic link, and was none before setup");
      return this.#open(fs.realpathSync(path), false);
    }
  }
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length;) done += fs.writeSync(fd, bytes, done);
}

function hasGroup(fd: number, gid: number): boolean {
  if (fs.fstatSync(fd).gid === gid) return true;
  try {
    fs.fchownSync(fd, -1, gid);
    return true;
  } catch {
    return false;
  }
}

/** Somebody may be writing to it right now. */
function requireUnchanged({ path, stat }: HomeFile): void {
  const now = fs.lstatSync(path);
  const isSame = now.ino === stat.ino && now.dev === stat.dev && now.size === stat.size && now.mtimeMs === stat.mtimeMs;
  if (!isSame) throw new Unfit("is being changed by somebody");
}

function overwrite({ path, stat }: HomeFile, bytes: Buffer, mode: number): void {
  const fd = fs.openSync(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  try {
    if (fs.fstatSync(fd).ino !== stat.ino) throw new Unfit("is being changed by somebody");
    for (let done = 0; done < bytes.length;) done += fs.writeSync(fd, bytes, done, bytes.length - done, done);
    fs.ftruncateSync(fd, bytes.length);
    if ((stat.mode & 0o7777) !== mode) fs.fchmodSync(fd, mode);
  } finally {
    fs.closeSync(fd);
  }
}

/** "0600" */
export function modeOf({ stat }: HomeFile): string {
  return octal(stat.mode);
}
