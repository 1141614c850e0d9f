import { readSmallFile } from "../bounded-read.js";
import { Directory, ignoreMissing } from "../directory.js";
import { BusError, errnoOf, fromErrno } from "../errors.js";
import { validatePresence } from "../generated/validators.js";
import { takeLock, type Release } from "../lock.js";
import { READABLE_FILE_MODE } from "../permissions.js";
import { isAlive, type Presence } from "../presence.js";
import { writeOwnFile } from "../private-file.js";
import type { Spool } from "../spool.js";

const MAX_PRESENCE_BYTES = 4 * 1024;
/** A lock without a presence is one whose process died while taking it, once it is as old as this, in milliseconds. */
const TAKING_MS = 5_000;
/** Longer than any process runs: who holds the lock is decided by its presence, never by a clock. */
const NEVER_MS = 2_147_483_647;
const BREAKING_MS = 5_000;

/**
 * Keeps a durable subscription to one consumer process at a time: `consumer.lock` is held, and `consumer.json` says by whom. A lock
 * whose process is dead is broken at once, under a second lock, so that of two that come at the same time one wins.
 */
export class ConsumerLock {
  readonly #spool: Spool;
  readonly #dir: string;
  readonly #name: string;
  #release: Release | undefined;

  private constructor(spool: Spool, directoryName: string) {
    this.#spool = spool;
    this.#name = directoryName;
    this.#dir = `${spool.subscriptionsDir}/${directoryName}`;
  }

  /**
   * @param onLost called if somebody removed the lock while it was held
   * @throws BusError ERR_BUSY naming the process that consumes already
   */
  static async acquire(
    spool: Spool,
    directoryName: string,
    self: Presence,
    onLost: (error: BusError) => void,
  ): Promise<ConsumerLock> {
    const lock = new ConsumerLock(spool, directoryName);
    try {
      if (!(await lock.#try(onLost))) {
        await lock.#breakIfDead();
        if (!(await lock.#try(onLost))) throw lock.#busy();
      }
      lock.#sign(self);
      return lock;
    } catch (error) {
      await lock.release();
      throw fromErrno(error, "lock", lock.#dir);
    }
  }

  async release(): Promise<void> {
    if (this.#release === undefined) return;
    ignoreMissing(() => this.#spool.fileSystem.unlink(`${this.#dir}/consumer.json`));
    await this.#release();
    this.#release = undefined;
  }

  async #try(onLost: (error: BusError) => void): Promise<boolean> {
    const lockPath = `${this.#dir}/consumer.lock`;
    this.#release = await takeLock(lockPath, {
      staleMs: NEVER_MS,
      onLost: (cause) => {
        this.#release = undefined;
        onLost(new BusError("ERR_LOCK_LOST", `${lockPath} was removed while it was held`, { path: lockPath, cause }));
      },
    });
    return this.#release !== undefined;
  }

  #sign(self: Presence): void {
    const directory = Directory.open(this.#spool.fileSystem, this.#spool.subscriptionsDir, this.#name);
    try {
      writeOwnFile(this.#spool, directory, "consumer.json", `${JSON.stringify(self)}\n`, READABLE_FILE_MODE);
    } finally {
      directory.close();
    }
  }

  async #breakIfDead(): Promise<void> {
    if (this.#isHeld()) return;
    const release = await takeLock(`${this.#dir}/breaking.lock`, { staleMs: BREAKING_MS });
    if (release === undefined) return;
    try {
      // Looked at again under the lock: the one who was faster may hold it by now.
      if (this.#isHeld()) return;
      ignoreMissing(() => this.#spool.fileSystem.unlink(`${this.#dir}/consumer.json`));
      ignoreMissing(() => this.#spool.fileSystem.rmdir(`${this.#dir}/consumer.lock`));
    } finally {
      await release();
    }
  }

  #isHeld(): boolean {
    const holder = readConsumer(this.#spool, this.#dir);
    if (holder !== undefined) return isAlive(holder, () => heartbeatAgeMs(this.#spool, holder));
    try {
      return Date.now() - this.#spool.fileSystem.lstat(`${this.#dir}/consumer.lock`).ctimeMs < TAKING_MS;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return false;
      throw error;
    }
  }

  #busy(): BusError {
    const holder = readConsumer(this.#spool, this.#dir);
    const who = holder === undefined ? "another process" : `process ${holder.pid}, since ${holder.startedAt}`;
    return new BusError("ERR_BUSY", `cannot subscribe to ${this.#name}: ${who} consumes it already`, {
      path: this.#dir,
      fix: `stop that process, or open the subscription with { shared: true } (--shared) in both, to share its messages`,
      details: { pid: holder?.pid, startedAt: holder?.startedAt },
    });
  }
}

/** Who consumes a subscription exclusively; undefined when nobody says so. */
export function readConsumer(spool: Pick<Spool, "fileSystem">, dir: string): Presence | undefined {
  return readPresence(spool, `${dir}/consumer.json`);
}

export function readPresence({ fileSystem }: Pick<Spool, "fileSystem">, path: string): Presence | undefined {
  try {
    const value: unknown = JSON.parse(readSmallFile(fileSystem, path, MAX_PRESENCE_BYTES).bytes.toString("utf8"));
    return validatePresence(value) ? (value as Presence) : undefined;
  } catch {
    return undefined;
  }
}

export function heartbeatAgeMs(
  { fileSystem, path }: Pick<Spool, "fileSystem" | "path">,
  { user, token }: Presence,
): number | undefined {
  try {
    return Date.now() - fileSystem.lstat(`${path}/run/${user}/${token}.lock`).mtimeMs;
  } catch {
    return undefined;
  }
}
