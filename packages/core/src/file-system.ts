import fs from "node:fs";

/** A path: bytes where a name comes from somebody else and need not be UTF-8. */
export type Path = string | Buffer;

/**
 * The seam between agentbus and the kernel: every file that core touches passes through here, so a test can refuse,
 * shorten or kill at each single call.
 *
 * The calls without a promise block. That is on purpose for small metadata operations on a local filesystem, where a
 * hop through the thread pool costs several times the call itself; what may really block (fsync, large reads) has a
 * promise.
 */
export interface FileSystem {
  open(path: Path, flags: number, mode?: number): number;
  close(fd: number): void;
  read(fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number;
  write(fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number;
  /** Writes text as UTF-8. @returns how many bytes of it */
  writeText(fd: number, text: string): number;
  fstat(fd: number): fs.Stats;
  stat(path: Path): fs.Stats;
  lstat(path: Path): fs.Stats;
  /** Whether there is an entry of that name, be it a dangling link. */
  hasEntry(path: Path): boolean;
  /** `st_ctime` in ms since 1970, to a quarter of a microsecond: unlike `st_mtime`, nobody can set it. */
  changeTimeMs(path: Path): number;
  fchmod(fd: number, mode: number): void;
  fchown(fd: number, uid: number, gid: number): void;
  chmod(path: Path, mode: number): void;
  chown(path: Path, uid: number, gid: number): void;
  utimes(path: Path, accessed: Date, changed: Date): void;
  link(from: Path, to: Path): void;
  rename(from: Path, to: Path): void;
  unlink(path: Path): void;
  mkdir(path: Path, mode: number): void;
  rmdir(path: Path): void;
  /** Names in latin1, which maps every byte to one character, so that no name is lost or merged in decoding. */
  readdir(path: Path): string[];
  /**
   * The same, a thousand names or so at a time, for directories that may be long. Where the filesystem tells no types (d_type of readdir(3)) and
   * entries vanish meanwhile, names may come twice.
   */
  readdirInPortions(path: Path): Generator<string[], void, undefined>;
  readAsync(fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): Promise<number>;
  fsync(fd: number): Promise<void>;
  fdatasync(fd: number): Promise<void>;
}

export const nodeFileSystem: FileSystem = Object.freeze({
  open: fs.openSync,
  close: fs.closeSync,
  read: fs.readSync,
  write: fs.writeSync,
  writeText: (fd: number, text: string) => fs.writeSync(fd, text),
  fstat: (fd: number) => fs.fstatSync(fd),
  stat: (path: Path) => fs.statSync(path),
  lstat: (path: Path) => fs.lstatSync(path),
  hasEntry: (path: Path) => fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined,
  changeTimeMs: (path: Path) => fs.statSync(path).ctimeMs,
  fchmod: fs.fchmodSync,
  fchown: fs.fchownSync,
  chmod: fs.chmodSync,
  chown: fs.chownSync,
  utimes: fs.utimesSync,
  link: fs.linkSync,
  rename: fs.renameSync,
  unlink: fs.unlinkSync,
  mkdir: (path: Path, mode: number) => void fs.mkdirSync(path, { mode }),
  rmdir: (path: Path) => fs.rmdirSync(path),
  readdir: (path: Path) => fs.readdirSync(path, "latin1"),
  readdirInPortions,
  readAsync: (fd, buffer, offset, length, position) =>
    new Promise((resolve, reject) => {
      fs.read(fd, buffer, offset, length, position, (error, bytes) => (error ? reject(error) : resolve(bytes)));
    }),
  fsync: (fd: number) =>
    new Promise<void>((resolve, reject) => fs.fsync(fd, (error) => (error ? reject(error) : resolve()))),
  fdatasync: (fd: number) =>
    new Promise<void>((resolve, reject) => fs.fdatasync(fd, (error) => (error ? reject(error) : resolve()))),
} satisfies FileSystem);

/** Half a millisecond's reading. */
const PORTION_LENGTH = 1_024;
/**
 * A directory up to this size holds a few hundred entries on ext4 and 1,600 on tmpfs, and comes as one portion, which takes a quarter of
 * the calls. Where the size says nothing, this only costs memory and a pause.
 */
const SHORT_DIRECTORY_BYTES = 32_768;

/**
 * `fs.opendir` asks the kernel for as much at a time: a million names as one array take longer, and 200 MB. Its asynchronous iteration
 * takes more than twice as long, and 18 s with portions of 32,768.
 */
function* readdirInPortions(path: Path): Generator<string[], void, undefined> {
  if (fs.statSync(path).size <= SHORT_DIRECTORY_BYTES) return yield fs.readdirSync(path, "latin1");
  const directory = fs.opendirSync(path, { encoding: "latin1", bufferSize: PORTION_LENGTH });
  try {
    for (let names = readPortion(directory); names.length > 0; names = readPortion(directory)) yield names;
  } catch (error) {
    // Without a type Node asks lstat(2) for it, and fails over an entry that is gone.
    if ((error as NodeJS.ErrnoException).syscall !== "lstat") throw error;
    yield fs.readdirSync(path, "latin1");
  } finally {
    directory.closeSync();
  }
}

function readPortion(directory: fs.Dir): string[] {
  const names: string[] = [];
  while (names.length < PORTION_LENGTH) {
    const entry = directory.readSync();
    if (entry === null) break;
    names.push(entry.name);
  }
  return names;
}

/** Writes all of the first `length` bytes: write(2) may take less than it was given, above all on a disk that is nearly full. */
export function writeAll(fileSystem: FileSystem, fd: number, bytes: Uint8Array, length = bytes.length): void {
  let written = 0;
  while (written < length) written += fileSystem.write(fd, bytes, written, length - written, null);
}

/**
 * The same for a text, as UTF-8. For one that comes alone that is a microsecond less than to encode it first: Node does both in one call.
 * @returns its length in bytes
 */
export function writeAllText(fileSystem: FileSystem, fd: number, text: string): number {
  const written = fileSystem.writeText(fd, text);
  const length = Buffer.byteLength(text);
  if (written < length) writeAll(fileSystem, fd, Buffer.from(text).subarray(written));
  return length;
}

/**
 * Closes a descriptor through which nothing was written that is not safe elsewhere: close(2) lets go of it whatever it says, and there
 * is nothing to lose.
 */
export function closeQuietly(fileSystem: FileSystem, fd: number): void {
  try {
    fileSystem.close(fd);
  } catch {
    // It is closed (close(2), "Dealing with error returns from close()").
  }
}

/** Joins a directory and a latin1-decoded name; as bytes when the name is not plain ASCII. */
export function joinName(dir: string, name: string): Path {
  // eslint-disable-next-line no-control-regex
  return /^[\x00-\x7f]*$/.test(name)
    ? `${dir}/${name}`
    : Buffer.concat([Buffer.from(`${dir}/`), Buffer.from(name, "latin1")]);
}
