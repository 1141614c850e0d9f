import fs from "node:fs";
import { errnoOf } from "./errors.js";
import { PRIVATE_MODE } from "./permissions.js";

export interface LockOptions {
  /** The lock counts as abandoned when its holder has not touched it for so long, in milliseconds. */
  readonly staleMs: number;
  /** How often the holder touches it, in milliseconds. @default half of `staleMs` */
  readonly updateMs?: number;
  /** Called when somebody removed or took over the lock. @default nothing */
  readonly onLost?: (cause: Error) => void;
}

/** Lets go of a lock; one that is lost already is no error. */
export type Release = () => Promise<void>;

/**
 * Takes a lock: a directory, because mkdir(2) either makes it or fails. Loaded when first needed, since a process that only
 * publishes locks nothing.
 * @param lockPath in a directory of this account @returns undefined when somebody else holds it @throws the system's error
 */
export async function takeLock(
  lockPath: string,
  { staleMs, updateMs, onLost }: LockOptions,
): Promise<Release | undefined> {
  const { default: lockfile } = await import("proper-lockfile");
  try {
    const release = await lockfile.lock(lockPath, {
      lockfilePath: lockPath,
      realpath: false,
      stale: staleMs,
      ...(updateMs === undefined ? {} : { update: updateMs }),
      onCompromised: (cause) => onLost?.(cause),
      fs: PRIVATE_MKDIR,
    });
    return () => release().catch(() => undefined);
  } catch (error) {
    if (errnoOf(error) === "ELOCKED") return undefined;
    throw error;
  }
}

/** Whatever the umask: a neighbour who could put a file into the lock would keep its holder from removing it. */
const PRIVATE_MKDIR = {
  ...fs,
  mkdir: (path: string, callback: fs.NoParamCallback) => fs.mkdir(path, PRIVATE_MODE, callback),
};
