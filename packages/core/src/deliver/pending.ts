import { fromErrno } from "../errors.js";
import { beforeReading, isProof } from "../freshness.js";
import { isMessageFile } from "../message-name.js";
import { parseRetryName, SUSPECT_DUE_MS } from "../settle/claim-names.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";

/** Listings longer than this are read off the event loop. */
const LONG_LISTING = 2_000;
/** While messages are at hand, looking for more urgent ones may take one part in so many of the time. */
const LOOK_SHARE = 10;

/** A file that may be claimed. */
export interface PendingFile {
  /** Its name in `new/` or `retry/`. */
  readonly name: string;
  readonly from: "new" | "retry";
  /** The message file's own name: its order. */
  readonly file: string;
  readonly attempts: number;
  /** It was in work when a consumer died. */
  readonly isSuspect: boolean;
}

/**
 * What waits in a subscription, in delivery order.
 *
 * The directory is the truth and this a snapshot of it, read again when something may have changed. With a large backlog that is
 * costly, so then the snapshot is used for a while first, and a more urgent message waits that long.
 */
export class Pending {
  readonly #spool: Spool;
  readonly #directories: SubscriptionDirectories;
  /** Last one first. */
  #files: PendingFile[] = [];
  #strays: string[] = [];
  #isStale = true;
  #nextDueMs = Infinity;
  #readAgainAt = 0;
  #count = 0;
  #readStamps = "";
  #isProven = false;

  constructor(spool: Spool, directories: SubscriptionDirectories) {
    this.#spool = spool;
    this.#directories = directories;
  }

  /** Something may have changed. */
  invalidate(): void {
    this.#isStale = true;
  }

  /** Whether `new/` or `retry/` may hold something that has not been seen. */
  hasChanged(): boolean {
    return this.#isStale || !this.#isProven || this.#stamps() !== this.#readStamps;
  }

  /** When the next retry is due, in ms since 1970; Infinity when none waits. */
  get nextDueMs(): number {
    return this.#nextDueMs;
  }

  /** Entries of `new/` that are not message files, since the last call. */
  takeStrays(): string[] {
    return this.#strays.splice(0);
  }

  /** The file that is to be delivered next; undefined when nothing is due. */
  async next(): Promise<PendingFile | undefined> {
    if (this.#mustRead()) await this.#read();
    return this.#files.pop();
  }

  #mustRead(): boolean {
    if (Date.now() >= this.#nextDueMs) this.#isStale = true;
    return this.#isStale && (this.#files.length === 0 || performance.now() >= this.#readAgainAt);
  }

  async #read(): Promise<void> {
    const began = performance.now();
    // Before the reading: what changes meanwhile makes it stale again.
    this.#isStale = false;
    try {
      this.#isProven = this.#stampsAreOld();
      this.#readStamps = this.#stamps();
      const isLong = this.#count > LONG_LISTING;
      const fresh = isLong ? await this.#list("new") : this.#listNow("new");
      const retries = this.#listNow("retry");
      this.#count = fresh.length;
      this.#sort(fresh, retries);
    } catch (error) {
      this.#isStale = true;
      throw fromErrno(error, "look for messages in", this.#directories.path);
    }
    const now = performance.now();
    this.#readAgainAt = now + LOOK_SHARE * (now - began);
  }

  #stamps(): string {
    const { new: arrivals, retry } = this.#directories;
    return `${this.#spool.fileSystem.changeTimeNs(arrivals.base)} ${this.#spool.fileSystem.changeTimeNs(retry.base)}`;
  }

  /** Whether a change from now on must show in the stamps. */
  #stampsAreOld(): boolean {
    const began = beforeReading();
    const { new: arrivals, retry } = this.#directories;
    return [arrivals, retry].every(({ base }) => isProof(this.#spool.fileSystem.changeTimeNs(base), began));
  }

  #listNow(which: "new" | "retry"): string[] {
    return this.#spool.fileSystem.readdir(this.#directories[which].base);
  }

  #list(which: "new" | "retry"): Promise<string[]> {
    return this.#spool.fileSystem.readdirAsync(this.#directories[which].base);
  }

  #sort(fresh: readonly string[], retries: readonly string[]): void {
    const files: PendingFile[] = [];
    this.#strays = [];
    for (const name of fresh) {
      if (isMessageFile(name)) files.push({ name, from: "new", file: name, attempts: 0, isSuspect: false });
      else if (!name.startsWith(".")) this.#strays.push(name);
    }
    const now = Date.now();
    this.#nextDueMs = Infinity;
    for (const name of retries) {
      const retry = parseRetryName(name);
      if (retry === undefined) continue;
      const { dueMs, attempts, file } = retry;
      if (dueMs <= now) files.push({ name, from: "retry", file, attempts, isSuspect: dueMs === SUSPECT_DUE_MS });
      else this.#nextDueMs = Math.min(this.#nextDueMs, dueMs);
    }
    this.#files = files.sort((a, b) => (a.file < b.file ? 1 : a.file > b.file ? -1 : 0));
  }
}
