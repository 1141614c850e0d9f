import { Directory, ignoreMissing } from "./directory.js";
import { errnoOf } from "./errors.js";
import type { FileSystem } from "./file-system.js";

/** Deeper than any subscription; what is deeper was planted. */
const MAX_DEPTH = 4;

/**
 * Removes a directory of ours with everything in it that can be removed. Members may have put anything into its drop boxes, and may
 * swap names while we are at it, so each directory is pinned before it is read, and somebody else's is never entered.
 * @returns whether all of it is gone
 */
export function removeTree(
  fileSystem: FileSystem,
  parent: Directory | string,
  name: string,
  uid: number,
  depth = 0,
): boolean {
  const path = typeof parent === "string" ? `${parent}/${name}` : parent.at(name);
  try {
    const directory = Directory.open(fileSystem, parent, name);
    try {
      if (directory.uid !== uid || depth > MAX_DEPTH) return removeEmpty(fileSystem, path);
      for (const entry of fileSystem.readdir(directory.base)) removeEntry(fileSystem, directory, entry, uid, depth);
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

function removeEntry(fileSystem: FileSystem, directory: Directory, entry: string, uid: number, depth: number): void {
  try {
    ignoreMissing(() => fileSystem.unlink(directory.at(entry)));
  } catch (error) {
    // What unlink(2) says of a directory: EISDIR on Linux, EPERM by POSIX and on macOS.
    if (errnoOf(error) !== "EISDIR" && errnoOf(error) !== "EPERM") throw error;
    removeTree(fileSystem, directory, entry, uid, depth + 1);
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
