import fs from "node:fs";
import { errnoOf } from "./errors.js";
import { closeQuietly, type FileSystem, type Path } from "./file-system.js";

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs.constants;

/** Reads up to this size happen at once; larger ones go through the thread pool. In bytes. */
export const SYNC_READ_BYTES = 128 * 1024;

/** Why a file that somebody else may have made cannot be read as one. */
export class UnfitFile extends Error {
  constructor(
    readonly why: "not-a-file" | "too-large" | "unreadable",
    message: string,
    readonly stat: fs.Stats | undefined,
  ) {
    super(message);
  }
}

export interface BoundedFile {
  readonly stat: fs.Stats;
  readonly bytes: Buffer;
}

/**
 * Reads a file that another account may have made, once, whole and bounded. It neither follows a link nor waits for a FIFO, a
 * device or a lease (open(2): O_NONBLOCK), and judges the descriptor, so what is read is what was judged.
 *
 * The result is a promise only when the file is large.
 * @param scratch of more than SYNC_READ_BYTES: what is read at once is in there, for whoever is done with it before the next read
 * @throws UnfitFile, or the system's error for what the file is not to blame for: ENOENT, EMFILE, EIO …
 */
export function readBounded(
  fileSystem: FileSystem,
  path: Path,
  maxBytes: number,
  scratch?: Buffer,
): BoundedFile | Promise<BoundedFile> {
  const { fd, stat } = openForeign(fileSystem, path, maxBytes);
  if (stat.size > SYNC_READ_BYTES) return readLarge(fileSystem, fd, stat, maxBytes);
  try {
    return { stat, bytes: readSmall(fileSystem, fd, stat, maxBytes, scratch) };
  } finally {
    closeQuietly(fileSystem, fd);
  }
}

/** The same for a file that is small by contract, such as `subscription.json`. @param maxBytes at most 1,048,576 */
export function readSmallFile(fileSystem: FileSystem, path: Path, maxBytes: number): BoundedFile {
  const { fd, stat } = openForeign(fileSystem, path, maxBytes);
  try {
    return { stat, bytes: readSmall(fileSystem, fd, stat, maxBytes) };
  } finally {
    closeQuietly(fileSystem, fd);
  }
}

/**
 * Opens a file that another account may have made, as `readBounded` does; for whoever goes on reading.
 * @throws UnfitFile, or the system's error
 */
export function openForeign(fileSystem: FileSystem, path: Path, maxBytes: number): { fd: number; stat: fs.Stats } {
  let fd: number;
  try {
    fd = fileSystem.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    throw unfitByErrno(error, fileSystem, path) ?? error;
  }
  try {
    const stat = fileSystem.fstat(fd);
    if (!stat.isFile()) throw new UnfitFile("not-a-file", `it is a ${kindOf(stat)}`, stat);
    if (stat.size > maxBytes) throw new UnfitFile("too-large", `${stat.size} bytes, at most ${maxBytes}`, stat);
    return { fd, stat };
  } catch (error) {
    closeQuietly(fileSystem, fd);
    throw error;
  }
}

/** One byte more than the size at hand, so that a file that grows under the reader is noticed. */
function readSmall(fileSystem: FileSystem, fd: number, stat: fs.Stats, maxBytes: number, scratch?: Buffer): Buffer {
  const length = Math.min(stat.size, maxBytes) + 1;
  return readInto(scratch?.subarray(0, length) ?? Buffer.allocUnsafe(length), fileSystem, fd, stat);
}

function readInto(buffer: Buffer, fileSystem: FileSystem, fd: number, stat: fs.Stats): Buffer {
  let length = 0;
  while (length < buffer.length) {
    const bytes = fileSystem.read(fd, buffer, length, buffer.length - length, null);
    length += bytes;
    // All of it, and where the byte more would be there was none; or less, because it was cut while it was read.
    if (length === stat.size || bytes === 0) return buffer.subarray(0, length);
  }
  throw new UnfitFile("too-large", "it grew while it was read", stat);
}

async function readLarge(fileSystem: FileSystem, fd: number, stat: fs.Stats, maxBytes: number): Promise<BoundedFile> {
  try {
    const buffer = Buffer.allocUnsafe(Math.min(stat.size, maxBytes) + 1);
    let length = 0;
    while (length < buffer.length) {
      const bytes = await fileSystem.readAsync(fd, buffer, length, buffer.length - length, null);
      if (bytes === 0) return { stat, bytes: buffer.subarray(0, length) };
      length += bytes;
    }
    throw new UnfitFile("too-large", "it grew while it was read", stat);
  } finally {
    closeQuietly(fileSystem, fd);
  }
}

const NOT_A_FILE = new Set([
  "ELOOP", // a symbolic link (O_NOFOLLOW)
  "EMLINK", // the same on FreeBSD
  "ENXIO", // a socket
  "ENODEV",
  "EOPNOTSUPP",
]);
const UNREADABLE = new Set(["EACCES", "EPERM"]);

/** What cannot be opened is looked at by its name, which tells what it is and whose. */
function unfitByErrno(error: unknown, fileSystem: FileSystem, path: Path): UnfitFile | undefined {
  const errno = errnoOf(error) ?? "";
  if (!NOT_A_FILE.has(errno) && !UNREADABLE.has(errno)) return undefined;
  const stat = lookAt(fileSystem, path);
  if (stat !== undefined && !stat.isFile()) return new UnfitFile("not-a-file", `it is a ${kindOf(stat)}`, stat);
  return NOT_A_FILE.has(errno)
    ? new UnfitFile("not-a-file", "it is no regular file", stat)
    : new UnfitFile("unreadable", "its mode does not let this account read it", stat);
}

function lookAt(fileSystem: FileSystem, path: Path): fs.Stats | undefined {
  try {
    return fileSystem.lstat(path);
  } catch {
    return undefined;
  }
}

function kindOf(stat: fs.Stats): string {
  if (stat.isDirectory()) return "directory";
  if (stat.isFIFO()) return "FIFO";
  if (stat.isSocket()) return "socket";
  return stat.isSymbolicLink() ? "symbolic link" : "device";
}
