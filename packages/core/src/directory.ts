import fs from "node:fs";
import { errnoOf } from "./errors.js";
import type { FileSystem, Path } from "./file-system.js";
import { closeQuietly, joinName } from "./file-system.js";

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants;
/** O_PATH of Linux (open(2)): a handle that needs no permission on the directory itself; Node does not name it. */
const O_PATH = 0o10000000;

/** True where a directory can be pinned, that is used through its descriptor whatever becomes of its name. */
const CAN_PIN = process.platform === "linux";

/**
 * A directory whose name another account may swap for a symbolic link while we use it.
 *
 * On Linux it is opened once, without following a link, judged by its descriptor, and from then on named
 * `/proc/self/fd/<fd>` (proc(5)), which leads to the very inode that was judged. macOS has no such name: there the path is
 * judged and then used, which leaves a race that `docs/protocol.md` describes.
 */
export class Directory {
  /** The path for people. */
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  readonly dev: number;
  readonly ino: number;
  readonly #base: string;
  readonly #fileSystem: FileSystem;
  readonly #fd: number | undefined;
  #closed = false;

  private constructor(fileSystem: FileSystem, path: string, fd: number | undefined, base: string, stat: fs.Stats) {
    this.#fileSystem = fileSystem;
    this.path = path;
    this.#fd = fd;
    this.#base = base;
    this.uid = stat.uid;
    this.gid = stat.gid;
    this.dev = stat.dev;
    this.ino = stat.ino;
  }

  /**
   * Opens `<parent>/<name>`; only the last component can be a link that is refused, so walk one component at a time.
   * @throws the system's error: ENOENT, ENOTDIR (also for a symbolic link), EACCES.
   */
  static open(fileSystem: FileSystem, parent: Directory | string, name: string): Directory {
    const path = `${typeof parent === "string" ? parent : parent.path}/${name}`;
    const target = `${typeof parent === "string" ? parent : parent.base}/${name}`;
    if (!CAN_PIN) {
      const stat = fileSystem.lstat(target);
      if (!stat.isDirectory()) throw Object.assign(new Error(`not a directory: ${path}`), { code: "ENOTDIR" });
      return new Directory(fileSystem, path, undefined, target, stat);
    }
    const fd = fileSystem.open(target, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_RDONLY);
    try {
      return new Directory(fileSystem, path, fd, `/proc/self/fd/${fd}`, fileSystem.fstat(fd));
    } catch (error) {
      closeQuietly(fileSystem, fd);
      throw error;
    }
  }

  /**
   * The path of the directory for the kernel.
   * @throws Error once closed: the descriptor's number may name another directory by then.
   */
  get base(): string {
    if (this.#closed) throw new Error(`directory ${this.path} is used after close()`);
    return this.#base;
  }

  /** The path of an entry, for a system call. */
  at(name: string): Path {
    return joinName(this.base, name);
  }

  /** The path of an entry whose name is ours, hence plain ASCII. */
  atOwn(name: string): string {
    return `${this.base}/${name}`;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#fd !== undefined) closeQuietly(this.#fileSystem, this.#fd);
  }
}

/** Runs a removal that may find its target gone already. */
export function ignoreMissing(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}
