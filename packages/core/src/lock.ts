import fs from "node:fs";
import { dirname } from "node:path";
import type Library from "proper-lockfile";
import { ignoreMissing } from "./directory.js";
import { errnoOf } from "./errors.js";
import type { FileSystem } from "./file-system.js";
import { loadLater } from "./load-later.js";
import { PRIVATE_FILE_MODE, PRIVATE_MODE } from "./permissions.js";
import type { Spool } from "./spool.js";

export interface LockOptions {
  /** The lock counts as abandoned when its holder has not touched it for so long, in milliseconds. Infinity: never. */
  readonly staleMs: number;
  /** How often the holder touches it, in milliseconds. */
  readonly updateMs: number;
  /** Names its holder inside of the lock, from the lock's first moment on. A lock without a name in it is free. @default an unnamed lock */
  readonly holder?: string;
  /** Called in the moment in which a named lock is taken. */
  readonly onTaken?: () => void;
}

let library: typeof Library | undefined;

/** Lets go of a lock; one that is lost already is no error. */
export type Release = () => Promise<void>;

/**
 * Takes a lock: a directory, because mkdir(2) and rename(2) either make it or fail. The library is loaded when first needed, since a
 * process that only publishes locks nothing.
 * @param lockPath in a directory of this account @returns undefined when somebody else holds it @throws the system's error
 */
export async function takeLock(
  spool: Pick<Spool, "fileSystem" | "names">,
  lockPath: string,
  { staleMs, updateMs, holder, onTaken }: LockOptions,
): Promise<Release | undefined> {
  library ??= (await loadLater(() => import("proper-lockfile"))).default;
  try {
    // The library's own register is of the whole process: two buses in it are two holders, also if one lost the lock to the other.
    const release = await library.lock(holder === undefined ? lockPath : `${lockPath}/${holder}`, {
      lockfilePath: lockPath,
      realpath: false,
      stale: staleMs,
      update: updateMs,
      // Whoever has to know looks (ConsumerLock.look()); without this, the library throws.
      onCompromised: () => undefined,
      fs: holder === undefined ? unnamed(spool.fileSystem) : named(spool, holder, onTaken),
    });
    return () => release().catch(() => undefined);
  } catch (error) {
    if (errnoOf(error) === "ELOCKED") return undefined;
    throw error;
  }
}

/**
 * The disk as the library sees it: through our seam, and each call done when it returns, so that a busy event loop cannot come
 * between the steps of taking a lock.
 */
function unnamed(fileSystem: FileSystem) {
  return {
    // Whatever the umask: a neighbour who could put a file into the lock would keep its holder from removing it.
    mkdir: answering((path: string) => fileSystem.mkdir(path, PRIVATE_MODE)),
    rmdir: answering((path: string) => fileSystem.rmdir(path)),
    rmdirSync: (path: string) => fileSystem.rmdir(path),
    stat: answering((path: string) => fileSystem.lstat(path)),
    utimes: answering((path: string, accessed: Date, changed: Date) => fileSystem.utimes(path, accessed, changed)),
  };
}

/**
 * The same for a lock with its holder's name in it. It is built aside and renamed into place, which replaces an empty directory and
 * fails on one with a name: no moment leaves a lock of which nobody could tell whose it is.
 */
function named({ fileSystem, names }: Pick<Spool, "fileSystem" | "names">, holder: string, onTaken?: () => void) {
  const install = (path: string) => {
    const aside = `${dirname(path)}/.lock-${names.random(16)}`;
    fileSystem.mkdir(aside, PRIVATE_MODE);
    try {
      fileSystem.close(fileSystem.open(`${aside}/${holder}`, O_CREAT | O_EXCL | O_WRONLY, PRIVATE_FILE_MODE));
      fileSystem.rename(aside, path);
    } catch (error) {
      remove(aside);
      throw errnoOf(error) === "ENOTEMPTY" ? Object.assign(new Error(`held: ${path}`), { code: "EEXIST" }) : error;
    }
    onTaken?.();
  };
  const remove = (path: string) => {
    ignoreMissing(() => fileSystem.unlink(`${path}/${holder}`));
    try {
      fileSystem.rmdir(path);
    } catch (error) {
      // Without our name it was free, and somebody has taken it at once.
      if (errnoOf(error) !== "ENOTEMPTY" && errnoOf(error) !== "EEXIST") throw error;
    }
  };
  return { ...unnamed(fileSystem), mkdir: answering(install), rmdir: answering(remove), rmdirSync: remove };
}

const { O_CREAT, O_EXCL, O_WRONLY } = fs.constants;

/** A call that answers by a callback, as the library wants it. */
function answering<Arguments extends readonly unknown[], Result>(call: (...args: Arguments) => Result) {
  return (...all: [...Arguments, (error: unknown, result?: Result) => void]): void => {
    const callback = all.at(-1) as (error: unknown, result?: Result) => void;
    let result: Result;
    try {
      result = call(...(all.slice(0, -1) as unknown as Arguments));
    } catch (error) {
      return callback(error);
    }
    callback(null, result);
  };
}
