import { fromErrno } from "../errors.js";
import { beforeReading, isProof } from "../freshness.js";
import { isMessageFile, isStream } from "../message-name.js";
import { parseRetryName, SUSPECT_DUE_MS } from "../settle/claim-names.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";
import { Arrivals } from "./arrivals.js";
import { Listing } from "./listing.js";

/** While messages are at hand, looking for more urgent ones may take one part in so many of the time. */
const LOOK_SHARE = 20;
/** Names that are kept of a listing, 12 MB of them: as many as a subscription holds by default. */
const MAX_KEPT = 100_000;

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
  readonly #maxKept: number;
  readonly #arrivals: Arrivals;
  /** What is due in `retry/`, the last one first. */
  #retries: PendingFile[] = [];
  #strays: string[] = [];
  #hasMoreStrays = false;
  #isStale = true;
  #areRetriesStale = true;
  /** The reading that is under way. */
  #reading: Listing | undefined;
  #isGapPossible = false;
  #nextDueMs = Infinity;
  #readAgainAt = 0;
  #readings = 0;
  /** Of the last look by `hasChanged()`; undefined when a later change may leave the same. */
  #stamps: string | undefined;

  constructor(spool: Pick<Spool, "fileSystem">, directories: Places, maxKept = MAX_KEPT) {
    this.#spool = spool;
    this.#directories = directories;
    this.#maxKept = maxKept;
    this.#arrivals = new Arrivals(maxKept);
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
    // A reading may meet a message and miss an earlier one of the same sender, whatever else comes meanwhile.
    this.#reading?.names.add(name);
    if (this.#reading !== undefined || this.#isGapPossible) this.#isStale = true;
    // The listing that makes it current will find this one too.
    if (!this.#isStale) this.#arrivals.enter(name);
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
    return this.#strays.length === 0 ? NONE : this.#strays.splice(-max);
  }

  get hasStrays(): boolean {
    return this.#strays.length > 0 || this.#hasMoreStrays;
  }

  /** Makes sure that `take()` gives what is to be delivered next. @returns a promise only when that takes long */
  look(): void | Promise<void> {
    if (this.#nextDueMs !== Infinity && Date.now() >= this.#nextDueMs) this.invalidate();
    if (this.#isUsedUp || (this.#isStale && (this.#isIdle || performance.now() >= this.#readAgainAt)))
      return this.#read();
  }

  /** Whether there is nothing to be taken, now or after a while: only an event changes that. */
  get isEmpty(): boolean {
    return !this.#isStale && this.#isIdle && !this.#isUsedUp && this.#nextDueMs === Infinity;
  }

  /** The name of what `take()` would give. */
  get head(): string | undefined {
    return this.#isRetryNext ? this.#retries.at(-1)?.file : this.#arrivals.head;
  }

  /** The file that is to be delivered next; undefined when nothing is due. */
  take(): PendingFile | undefined {
    if (this.#isRetryNext) return this.#retries.pop();
    const name = this.#arrivals.take();
    return name === undefined ? undefined : { name, from: "new", file: name, attempts: 0, isSuspect: false };
  }

  /** Streams among what is to be delivered next. */
  nextStreams(max: number): string[] {
    const retries = this.#retries.slice(-max).map(({ file }) => file);
    const files = [...this.#arrivals.first(max), ...retries].sort();
    return files.slice(0, max).filter(isStream);
  }

  get #isIdle(): boolean {
    return this.head === undefined && this.#strays.length === 0;
  }

  /** Whether only another listing tells what there is to do next. */
  get #isUsedUp(): boolean {
    return this.#arrivals.isUsedUp || (this.#hasMoreStrays && this.#isIdle);
  }

  get #isRetryNext(): boolean {
    const retry = this.#retries.at(-1);
    const { head } = this.#arrivals;
    return retry !== undefined && (head === undefined || retry.file < head);
  }

  #read(): void | Promise<void> {
    this.#readings++;
    const began = performance.now();
    const readsRetries = this.#areRetriesStale;
    // Before the reading: what changes meanwhile makes it stale again.
    this.#isStale = this.#areRetriesStale = this.#isGapPossible = false;
    try {
      if (readsRetries) this.#readRetries();
      const listing = new Listing(this.#maxKept);
      const reading = listing.read(this.#spool.fileSystem, this.#directories.new.base);
      if (reading === undefined) return this.#replace(listing, began);
      this.#reading = listing;
      return reading.then(
        () => this.#replace(listing, began),
        (error: unknown) => this.#fail(error),
      );
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): never {
    this.#reading = undefined;
    this.invalidate();
    throw fromErrno(error, "look for messages in", this.#directories.path);
  }

  #readRetries(): void {
    const now = Date.now();
    const due: PendingFile[] = [];
    this.#nextDueMs = Infinity;
    for (const name of this.#spool.fileSystem.readdir(this.#directories.retry.base)) {
      const retry = parseRetryName(name);
      if (retry === undefined) continue;
      const { dueMs, attempts, file } = retry;
      if (dueMs <= now) due.push({ name, from: "retry", file, attempts, isSuspect: dueMs === SUSPECT_DUE_MS });
      else this.#nextDueMs = Math.min(this.#nextDueMs, dueMs);
    }
    this.#retries = due.sort((a, b) => (a.file < b.file ? 1 : a.file > b.file ? -1 : 0));
  }

  #replace({ names, strays, hasMoreStrays }: Listing, began: number): void {
    this.#reading = undefined;
    this.#arrivals.replace(names);
    this.#strays = strays;
    this.#hasMoreStrays = hasMoreStrays;
    const now = performance.now();
    this.#readAgainAt = now + LOOK_SHARE * (now - began);
  }
}

const NONE: string[] = [];
