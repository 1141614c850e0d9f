import { fromErrno } from "../errors.js";
import { beforeReading, isProof } from "../freshness.js";
import { isMessageFile, isStream } from "../message-name.js";
import { parseRetryName, SUSPECT_DUE_MS } from "../settle/claim-names.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";

/** Listings longer than this are read off the event loop. */
const LONG_LISTING = 2_000;
/** While messages are at hand, looking for more urgent ones may take one part in so many of the time. */
const LOOK_SHARE = 10;
/** Up to so many waiting files, arrivals are entered one by one; beyond, a listing is cheaper. */
const FEW = 64;

type Places = Pick<SubscriptionDirectories, "new" | "retry" | "path">;

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
 * costly, so then the snapshot is used for a while first, and a more urgent message waits that long. While few messages wait, an
 * event that is known to be the next change is entered into the snapshot instead: most messages never need a listing.
 */
export class Pending {
  readonly #spool: Pick<Spool, "fileSystem">;
  readonly #directories: Places;
  /** Last one first. */
  #files: PendingFile[] = [];
  #strays: string[] = [];
  #isStale = true;
  #areRetriesStale = true;
  #isReading = false;
  #isGapPossible = false;
  #nextDueMs = Infinity;
  #readAgainAt = 0;
  #count = 0;
  #readings = 0;
  /** Of the last look by `hasChanged()`; undefined when a later change may leave the same. */
  #stamps: string | undefined;

  constructor(spool: Pick<Spool, "fileSystem">, directories: Places) {
    this.#spool = spool;
    this.#directories = directories;
  }

  /** Anything may have changed. */
  invalidate(): void {
    this.#isStale = true;
    this.#areRetriesStale = true;
  }

  /** Events may have been lost, so the next one need not be the next change. */
  doubt(): void {
    this.#isGapPossible = true;
  }

  /** An entry of `new/` has come or gone. Unless there are doubts, nothing else did since the last call. */
  notice(name: string): void {
    // Such as the `.wake-…` of somebody who put something into `retry/`.
    if (!isMessageFile(name)) return this.invalidate();
    if (this.#files.length >= FEW || this.#isReading || this.#isGapPossible) this.#isStale = true;
    // The listing that makes it current will find this one too.
    if (this.#isStale || this.#files.some((file) => file.name === name)) return;
    this.#files.push({ name, from: "new", file: name, attempts: 0, isSuspect: false });
    if (this.#files.length > 1) this.#files.sort(lastFirst);
  }

  /** Whether `new/` or `retry/` may hold something that has not been seen. Whoever is told so has to call `invalidate()`. */
  hasChanged(): boolean {
    const began = beforeReading();
    const { new: arrivals, retry } = this.#directories;
    const changeTimes = [arrivals, retry].map(({ base }) => this.#spool.fileSystem.changeTimeMs(base));
    const stamps = changeTimes.join(" ");
    if (stamps === this.#stamps) return this.#isStale;
    // The reading that follows comes after these stamps, so it sees everything that they stand for.
    this.#stamps = changeTimes.every((changeTime) => isProof(changeTime, began)) ? stamps : undefined;
    return true;
  }

  /** How often the directory was listed: what a listing shows may have come before events that are still to be reported. */
  get readings(): number {
    return this.#readings;
  }

  /** When the next retry is due, in ms since 1970; Infinity when none waits. */
  get nextDueMs(): number {
    return this.#nextDueMs;
  }

  /** Entries of `new/` that are not message files: some of them, and none twice. */
  takeStrays(max: number): string[] {
    return this.#strays.length === 0 ? NONE : this.#strays.splice(0, max);
  }

  get hasStrays(): boolean {
    return this.#strays.length > 0;
  }

  /** Makes sure that `take()` gives what is to be delivered next. @returns a promise only when that takes long */
  look(): void | Promise<void> {
    if (this.#nextDueMs !== Infinity && Date.now() >= this.#nextDueMs) this.invalidate();
    const isIdle = this.#files.length === 0 && this.#strays.length === 0;
    if (this.#isStale && (isIdle || performance.now() >= this.#readAgainAt)) return this.#read();
  }

  /** The name of what `take()` would give. */
  get head(): string | undefined {
    return this.#files.at(-1)?.file;
  }

  /** The file that is to be delivered next; undefined when nothing is due. */
  take(): PendingFile | undefined {
    return this.#files.pop();
  }

  /** Streams among what is to be delivered next. */
  nextStreams(max: number): string[] {
    const files = this.#files.slice(-max).map(({ file }) => file);
    return files.filter(isStream);
  }

  #read(): void | Promise<void> {
    this.#readings++;
    const began = performance.now();
    const readsRetries = this.#areRetriesStale;
    // Before the reading: what changes meanwhile makes it stale again.
    this.#isStale = this.#areRetriesStale = this.#isGapPossible = false;
    try {
      const retries = readsRetries ? this.#readRetries() : this.#files.filter(({ from }) => from === "retry");
      if (this.#count <= LONG_LISTING) return this.#replace(this.#list("new"), retries, began);
      this.#isReading = true;
      return this.#listLong("new").then(
        (names) => this.#replace(names, retries, began),
        (error: unknown) => this.#fail(error),
      );
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): never {
    this.#isReading = false;
    this.invalidate();
    throw fromErrno(error, "look for messages in", this.#directories.path);
  }

  #list(which: "new" | "retry"): string[] {
    return this.#spool.fileSystem.readdir(this.#directories[which].base);
  }

  #listLong(which: "new" | "retry"): Promise<string[]> {
    return this.#spool.fileSystem.readdirAsync(this.#directories[which].base);
  }

  #readRetries(): PendingFile[] {
    const now = Date.now();
    const due: PendingFile[] = [];
    this.#nextDueMs = Infinity;
    for (const name of this.#list("retry")) {
      const retry = parseRetryName(name);
      if (retry === undefined) continue;
      const { dueMs, attempts, file } = retry;
      if (dueMs <= now) due.push({ name, from: "retry", file, attempts, isSuspect: dueMs === SUSPECT_DUE_MS });
      else this.#nextDueMs = Math.min(this.#nextDueMs, dueMs);
    }
    return due;
  }

  #replace(names: readonly string[], retries: readonly PendingFile[], began: number): void {
    this.#isReading = false;
    this.#count = names.length;
    this.#strays = [];
    const files = [...retries];
    for (const name of names) {
      if (isMessageFile(name)) files.push({ name, from: "new", file: name, attempts: 0, isSuspect: false });
      else if (!name.startsWith(".")) this.#strays.push(name);
    }
    this.#files = files.sort(lastFirst);
    const now = performance.now();
    this.#readAgainAt = now + LOOK_SHARE * (now - began);
  }
}

const NONE: string[] = [];

function lastFirst(a: PendingFile, b: PendingFile): number {
  return a.file < b.file ? 1 : a.file > b.file ? -1 : 0;
}
