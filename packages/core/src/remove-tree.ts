import { Directory, ignoreMissing } from "./directory.js";
import { errnoOf } from "./errors.js";
import type { FileSystem } from "./file-system.js";

/** The directories that a subscription consists of; there is nothing deeper. */
const PART = /^(?:new|cur|retry|dead|tally|.*\.lock|\.lock-.*)$/;

/**
 * Removes a subscription of ours with everything in it that can be removed. Members may have put anything into its drop boxes, and
 * may swap names while we are at it, so each directory is pinned before it is read. Only what we make is entered: not somebody
 * else's directory, and no further one of ours either, which a neighbour may have moved here to have us empty it.
 * @returns whether all of it is gone
 */
export function removeTree(
  fileSystem: FileSystem,
  parent: Directory | string,
  name: string,
  uid: number,
  isPart = false,
): boolean {
  const path = typeof parent === "string" ? `${parent}/${name}` : parent.at(name);
  try {
    const directory = Directory.open(fileSystem, parent, name);
    try {
      if (directory.uid !== uid) return removeEmpty(fileSystem, path);
      for (const entry of fileSystem.readdir(directory.base)) removeEntry(fileSystem, directory, entry, uid, isPart);
    } finally {
      directory.close();
    }
    return removeEmpty(fileSystem, path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return true;
    if (errnoOf(error) === "ENOTDIR" || errnoOf(error) === "EACCES") return false;
    throw error;
  }
}

function removeEntry(
  fileSystem: FileSystem,
  directory: Directory,
  entry: string,
  uid: number,
  isInPart: boolean,
): void {
  try {
    ignoreMissing(() => fileSystem.unlink(directory.at(entry)));
  } catch (error) {
    // What unlink(2) says of a directory: EISDIR on Linux, EPERM by POSIX and on macOS.
    if (errnoOf(error) !== "EISDIR" && errnoOf(error) !== "EPERM") throw error;
    if (!isInPart && PART.test(entry)) removeTree(fileSystem, directory, entry, uid, true);
    else removeEmpty(fileSystem, directory.at(entry));
  }
}

function removeEmpty(fileSystem: FileSystem, path: string | Buffer): boolean {
  try {
    fileSystem.rmdir(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return true;
    if (["ENOTEMPTY", "EEXIST", "EACCES", "EPERM"].includes(errnoOf(error) ?? "")) return false;
    throw error;
  }
}
