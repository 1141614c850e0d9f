import { readSmallFile } from "../bounded-read.js";
import { Directory, ignoreMissing } from "../directory.js";
import { BusError, errnoOf, fromErrno } from "../errors.js";
import { validatePresence } from "../generated/validators.js";
import { takeLock, type Release } from "../lock.js";
import { MAX_TIMER_MS } from "../options.js";
import { READABLE_FILE_MODE } from "../permissions.js";
import { isAlive, type Presence } from "../presence.js";
import { writeOwnFile } from "../private-file.js";
import type { Spool } from "../spool.js";

const MAX_PRESENCE_BYTES = 32 * 1024;
/** Of several that come at the same time, one takes the lock; the others find it held after so many tries at most. */
const MAX_TRIES = 5;

/** What is locked: a directory of this account. */
export interface LockedPlace {
  readonly parentDir: string;
  readonly directoryName: string;
  /** For people. @default "subscribe to <directoryName>", and how to share it */
  readonly doing?: string | undefined;
}

/**
 * The lock that this bus holds at each path, to tell it from one that it could not let go of; and from the one before it, whose
 * subscription was removed under its consumer and made anew: that bears the same name.
 */
export type HeldLocks = Map<string, ConsumerLock>;

/**
 * Keeps a durable subscription, or what else one process of an account does, to one process at a time. `consumer.lock/<token>` is whose it is, from the lock's first
 * moment to its last, and `consumer.json` tells everybody else. Whether the holder lives is decided by its presence, and by a
 * clock only where its process cannot be seen (presence.ts); a dead one's name is taken out of the lock, and that very name only, so nobody can break the lock of the next one.
 */
export class ConsumerLock {
  readonly #spool: Spool;
  readonly #dir: string;
  readonly #place: LockedPlace;
  readonly #lockPath: string;
  readonly #self: Presence;
  readonly #held: HeldLocks;
  readonly #onLost: (error: BusError) => void;
  #release: Release | undefined;

  private constructor(
    spool: Spool,
    place: LockedPlace,
    self: Presence,
    held: HeldLocks,
    onLost: (error: BusError) => void,
  ) {
    this.#spool = spool;
    this.#self = self;
    this.#held = held;
    this.#onLost = onLost;
    this.#place = place;
    this.#dir = `${place.parentDir}/${place.directoryName}`;
    this.#lockPath = `${this.#dir}/consumer.lock`;
  }

  /**
   * @param onLost called by `look()` when somebody has removed the lock
   * @throws BusError ERR_BUSY naming the process that consumes already
   */
  static async acquire(
    spool: Spool,
    place: LockedPlace,
    self: Presence,
    held: HeldLocks,
    onLost: (error: BusError) => void,
  ): Promise<ConsumerLock> {
    const lock = new ConsumerLock(spool, place, self, held, onLost);
    try {
      for (let tries = 1; !(await lock.#try()); tries++) {
        if (lock.#isHeld() || tries === MAX_TRIES) throw lock.#busy();
      }
      lock.#sign();
      return lock;
    } catch (error) {
      await lock.release();
      throw fromErrno(error, "lock", lock.#dir);
    }
  }

  /** Notices that the lock was removed while it was held. To be called from time to time: its holder wakes up for that anyway. */
  async look(): Promise<void> {
    if (this.#release === undefined || !this.#isLost()) return;
    const path = this.#lockPath;
    await this.#letGo();
    this.#onLost(new BusError("ERR_LOCK_LOST", `${path} was removed while it was held`, { path }));
  }

  async release(): Promise<void> {
    if (this.#release === undefined) return;
    // If it is lost, consumer.json may be another's by now.
    if (!this.#isLost()) {
      try {
        this.#spool.fileSystem.unlink(`${this.#dir}/consumer.json`);
      } catch {
        // It tells people; who holds the lock stands in the lock.
      }
    }
    await this.#letGo();
  }

  /** Whether somebody has removed it; false while nobody can tell. */
  #isLost(): boolean {
    if (!this.#isOurs) return true;
    try {
      this.#spool.fileSystem.lstat(`${this.#lockPath}/${this.#self.token}`);
      return false;
    } catch (error) {
      return errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR";
    }
  }

  async #letGo(): Promise<void> {
    const release = this.#release;
    this.#release = undefined;
    // Another one's has our name, at our path.
    if (!this.#isOurs) return;
    this.#held.delete(this.#lockPath);
    await release?.();
  }

  /** False once this bus has taken the lock anew. */
  get #isOurs(): boolean {
    return this.#held.get(this.#lockPath) === this;
  }

  async #try(): Promise<boolean> {
    try {
      this.#release = await takeLock(this.#spool, this.#lockPath, {
        staleMs: Infinity,
        updateMs: MAX_TIMER_MS,
        holder: this.#self.token,
        // From here on it is not that of the one before, who may be letting go of it just now.
        onTaken: () => this.#held.set(this.#lockPath, this),
      });
    } finally {
      if (this.#release === undefined && this.#isOurs) this.#held.delete(this.#lockPath);
    }
    return this.#release !== undefined;
  }

  #sign(): void {
    const directory = Directory.open(this.#spool.fileSystem, this.#place.parentDir, this.#place.directoryName);
    try {
      writeOwnFile(this.#spool, directory, "consumer.json", `${JSON.stringify(this.#self)}\n`, READABLE_FILE_MODE);
    } finally {
      directory.close();
    }
  }

  /** Whether a living process holds the lock; a dead one's is free when this returns. */
  #isHeld(): boolean {
    const { fileSystem } = this.#spool;
    for (const token of this.#holders()) {
      if (this.#isOfTheLiving(token)) return true;
      ignoreMissing(() => fileSystem.unlink(`${this.#lockPath}/${token}`));
    }
    return false;
  }

  #isOfTheLiving(token: string): boolean {
    if (token === this.#self.token) return this.#held.has(this.#lockPath);
    const holder = this.#presenceOf(token);
    return holder !== undefined && isAlive(holder, () => heartbeatAgeMs(this.#spool, holder));
  }

  #holders(): string[] {
    try {
      return this.#spool.fileSystem.readdir(this.#lockPath);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    }
  }

  /** Every bus that locks shows its presence first; `consumer.json` says the same, should somebody have cleared `run/`. */
  #presenceOf(token: string): Presence | undefined {
    const shown = presenceIn(this.#spool, `${this.#spool.runDir}/${token}.json`);
    if (shown !== undefined) return shown;
    const signed = presenceIn(this.#spool, `${this.#dir}/consumer.json`);
    return signed?.token === token ? signed : undefined;
  }

  #busy(): BusError {
    const holder = readConsumer(this.#spool, this.#dir);
    const who = holder === undefined ? "another process" : `process ${holder.pid}, since ${holder.startedAt}`;
    const { doing, directoryName } = this.#place;
    const details = { pid: holder?.pid, startedAt: holder?.startedAt };
    if (doing !== undefined) {
      const fix = holder === undefined ? "stop that process" : `stop that process: kill ${holder.pid}`;
      return new BusError("ERR_BUSY", `cannot ${doing}: ${who} does already`, { path: this.#dir, fix, details });
    }
    return new BusError("ERR_BUSY", `cannot subscribe to ${directoryName}: ${who} consumes it already`, {
      path: this.#dir,
      fix: `stop that process, or open the subscription with { shared: true } (--shared) in both, to share its messages`,
      details,
    });
  }
}

/** Who consumes a subscription exclusively; undefined when nobody says so. */
export function readConsumer(spool: Pick<Spool, "fileSystem">, dir: string): Presence | undefined {
  return readPresence(spool, `${dir}/consumer.json`);
}

/** What a presence says, for whoever only wants to tell people; undefined also when it cannot be read. */
export function readPresence(spool: Pick<Spool, "fileSystem">, path: string): Presence | undefined {
  try {
    return presenceIn(spool, path);
  } catch {
    return undefined;
  }
}

/**
 * What a presence says; undefined when there is none.
 * @throws UnfitFile or the system's error when it cannot be read now: nobody may be taken for dead because of that
 */
export function presenceIn({ fileSystem }: Pick<Spool, "fileSystem">, path: string): Presence | undefined {
  let bytes: Buffer;
  try {
    ({ bytes } = readSmallFile(fileSystem, path, MAX_PRESENCE_BYTES));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
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
