import { BusError, errnoOf, fromErrno } from "../errors.js";
import { ignoreMissing } from "../directory.js";
import type { Spool } from "../spool.js";
import { Backlog } from "./backlog.js";
import { Drafts, type Draft } from "./drafts.js";
import { FanOut, type Delivery, type SyncLevel } from "./fan-out.js";
import type { FullPolicy } from "./publisher.js";
import { RoomQueue } from "./room-queue.js";
import { Streams } from "./streams.js";
import { SubscriptionIndex } from "./subscription-index.js";
import type { Target } from "./target.js";

/** Publishes may share a file up to so many … */
const MAX_SHARED = 256;
/** … and so many bytes. */
const MAX_SHARED_BYTES = 256 * 1024;

/** One envelope on its way into the spool. */
export interface Parcel {
  /** Set for a direct message. */
  readonly to: string | undefined;
  readonly topic: string;
  /** The ULID that places it among this publisher's messages. */
  readonly order: string;
  readonly priority: number;
  /** One line of JSON, with its newline. */
  readonly bytes: Buffer;
  readonly sync: SyncLevel;
  readonly isMandatory: boolean;
  readonly keepsLink: boolean;
  readonly onFull: FullPolicy;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** What became of a parcel, by the labels of its subscriptions. */
export interface Outcome {
  readonly stored: readonly string[];
  readonly full: readonly string[];
  readonly failed: readonly { readonly label: string; readonly error: unknown }[];
  /** The publisher's own links, when it asked to keep them. */
  readonly keptPaths: readonly string[];
}

interface Waiting {
  readonly parcel: Parcel;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Takes parcels in order, looks up who gets them, and commits them: neighbours in the queue that go to the same subscriptions
 * share a file.
 *
 * Without `sync` all of this happens in the microtask after `put()`. With it, parcels that arrive while the disk is busy form the
 * next group, so that one fsync carries them all (group commit).
 */
export class Outbox {
  readonly #spool: Spool;
  readonly #index: SubscriptionIndex;
  readonly #drafts: Drafts;
  readonly #backlog: Backlog;
  readonly #fanOut: FanOut;
  readonly #streams: Streams;
  readonly #roomQueue = new RoomQueue();
  readonly #closing = new AbortController();
  #queue: Waiting[] = [];
  /** Set while a commit waits for the disk or the account database. */
  #running: Promise<void> | undefined;
  #unsettled = new Set<Promise<unknown>>();

  constructor(spool: Spool) {
    this.#spool = spool;
    this.#index = new SubscriptionIndex(spool);
    this.#drafts = new Drafts(spool);
    this.#backlog = new Backlog(spool);
    this.#fanOut = new FanOut(spool, this.#drafts, this.#backlog);
    this.#streams = new Streams(spool, this.#drafts);
  }

  put(parcel: Parcel): Promise<Outcome> {
    if (this.#closing.signal.aborted) return Promise.reject(closed());
    const outcome = new Promise<Outcome>((resolve, reject) => {
      this.#queue.push({ parcel, resolve, reject });
    });
    // A microtask later, the publishes of this tick are all in the queue.
    if (this.#queue.length === 1 && this.#running === undefined) queueMicrotask(() => this.#run());
    this.#unsettled.add(outcome);
    const forget = () => void this.#unsettled.delete(outcome);
    outcome.then(forget, forget);
    return outcome;
  }

  forget(keptPath: string): void {
    try {
      ignoreMissing(() => this.#spool.fileSystem.unlink(keptPath));
    } catch {
      // Swept when this process is gone; what is to be reported is another failure.
    }
  }

  async drain(): Promise<void> {
    while (this.#unsettled.size > 0) await Promise.allSettled(this.#unsettled);
  }

  async close(): Promise<void> {
    // Parcels that have been handed in are committed; those that wait for room are not.
    await Promise.resolve();
    while (this.#running !== undefined) await this.#running;
    this.#closing.abort(closed());
    await this.drain();
    this.#streams.close();
    this.#drafts.close();
    this.#index.close();
  }

  #run(): void {
    while (this.#queue.length > 0 && this.#running === undefined) {
      const waiting = this.#queue;
      this.#queue = [];
      const settling = this.#settleAll(waiting);
      if (settling === undefined) continue;
      const goOn = () => {
        this.#running = undefined;
        this.#run();
      };
      this.#running = settling.then(goOn, goOn);
    }
  }

  /** Commits parcels that were all handed in before this look at the subscriptions, in their order. */
  #settleAll(waiting: readonly Waiting[]): void | Promise<void> {
    const fail = (error: unknown) => {
      for (const { reject } of waiting) reject(fromErrno(error, "look up subscriptions in", this.#spool.path));
    };
    try {
      const identified = this.#index.refresh();
      if (identified !== undefined) return identified.then(() => this.#settleFrom(waiting, 0), fail);
    } catch (error) {
      return fail(error);
    }
    return this.#settleFrom(waiting, 0);
  }

  #settleFrom(waiting: readonly Waiting[], start: number): void | Promise<void> {
    for (let next = start; next < waiting.length;) {
      const group = this.#groupAt(waiting, next);
      next += group.waiting.length;
      const committing = this.#settle(group);
      if (committing !== undefined) return committing.then(() => this.#settleFrom(waiting, next));
    }
  }

  /** The longest run of neighbours that can share one file. */
  #groupAt(all: readonly Waiting[], start: number): Group {
    const first = all[start] as Waiting;
    const group: Waiting[] = [first];
    const looked = this.#lookUp(first.parcel);
    if (looked.error !== undefined || !this.#mayShare(first.parcel, looked.targets))
      return { waiting: group, ...looked };
    let bytes = first.parcel.bytes.length;
    for (let i = start + 1; i < all.length && group.length < MAX_SHARED; i++) {
      const { parcel } = all[i] as Waiting;
      bytes += parcel.bytes.length;
      if (bytes > MAX_SHARED_BYTES || !isAlike(parcel, first.parcel)) break;
      group.push(all[i] as Waiting);
    }
    return { waiting: group, ...looked };
  }

  #lookUp(parcel: Parcel): { targets: readonly Target[]; error?: unknown } {
    try {
      parcel.signal?.throwIfAborted();
      const targets =
        parcel.to === undefined ? this.#index.forTopic(parcel.topic) : [this.#index.forAddress(parcel.to)];
      if (targets.length === 0 && parcel.isMandatory) throw nobody(parcel.topic);
      return { targets };
    } catch (error) {
      // The signal's own reason is the caller's affair.
      const isOurs = error === parcel.signal?.reason || errnoOf(error) === undefined;
      return { targets: [], error: isOurs ? error : fromErrno(error, "look up subscriptions in", this.#spool.path) };
    }
  }

  /** Limits count files, and a file in a queue is one account's work: neither may hold several messages. */
  #mayShare(parcel: Parcel, targets: readonly Target[]): boolean {
    if (parcel.keepsLink) return false;
    return targets.every(({ record }) => record.kind !== "queue" && record.maxBacklog === undefined);
  }

  #settle({ waiting, targets, error }: Group): void | Promise<void> {
    if (error !== undefined) return void waiting.forEach(({ reject }) => reject(error));
    if (targets.length === 0) return void waiting.forEach(({ resolve }) => resolve(NOBODY));
    try {
      const [first] = waiting as [Waiting];
      const roomy = targets.filter(
        (target) => !this.#roomQueue.isWaiting(target.label) && this.#backlog.hasRoom(target),
      );
      const full = roomy.length === targets.length ? [] : targets.filter((target) => !roomy.includes(target));
      const bytes =
        waiting.length === 1 ? first.parcel.bytes : Buffer.concat(waiting.map(({ parcel }) => parcel.bytes));
      const committed = this.#commit(first.parcel, bytes, waiting.length, roomy);
      if (!(committed instanceof Promise)) return this.#tell(waiting, committed, full);
      return committed.then(
        (delivery) => this.#tell(waiting, delivery, full),
        (failure: unknown) => waiting.forEach(({ reject }) => reject(failure)),
      );
    } catch (failure) {
      for (const { reject } of waiting) reject(fromErrno(failure, "publish"));
    }
  }

  /** Appends to what was sent just before; or writes once and links everywhere. A promise only when it has to wait for the disk. */
  #commit(parcel: Parcel, bytes: Buffer, lines: number, targets: readonly Target[]): Committed | Promise<Committed> {
    const { priority, sync, keepsLink, order } = parcel;
    if (targets.length === 0) return { stored: [], gone: [], failed: [] };
    const mayGrow = sync === "none" && !keepsLink;
    if (mayGrow && this.#append(priority, bytes, lines, targets)) return { stored: [...targets], gone: [], failed: [] };
    const isStream = this.#streams.turnOver(priority, bytes.length, targets) && mayGrow;
    const fileName = this.#spool.names.messageFile(priority, order, isStream ? ".jsonl" : ".json");
    const draft = this.#drafts.write(bytes);
    if (sync !== "none") return this.#commitToDisk(parcel, draft, fileName, targets);
    const delivery = this.#fanOut.link(draft, fileName, targets);
    if (!isStream || delivery.stored.length < targets.length) return this.#finish(parcel, draft, fileName, delivery);
    this.#streams.begin(draft, fileName, bytes.length, lines, targets);
    return delivery;
  }

  #append(priority: number, bytes: Buffer, lines: number, targets: readonly Target[]): boolean {
    try {
      return this.#streams.append(priority, bytes, lines, targets);
    } catch {
      // A file of its own tells whether it is the disk or the stream.
      return false;
    }
  }

  async #commitToDisk(parcel: Parcel, draft: Draft, fileName: string, targets: readonly Target[]): Promise<Committed> {
    try {
      await this.#fanOut.syncData(draft);
    } catch (error) {
      this.#drafts.discard(draft);
      throw error;
    }
    const delivery = this.#fanOut.link(draft, fileName, targets);
    try {
      if (parcel.sync === "full") await this.#fanOut.syncLinks(draft, delivery.stored);
    } catch (error) {
      // They hold the message, but nobody can promise that they will after a power cut.
      const failed = [...delivery.failed, ...delivery.stored.map((target) => ({ target, error }))];
      return this.#finish(parcel, draft, fileName, { stored: [], gone: delivery.gone, failed });
    }
    return this.#finish(parcel, draft, fileName, delivery);
  }

  #finish(parcel: Parcel, draft: Draft, fileName: string, delivery: Delivery): Committed {
    if (parcel.keepsLink && delivery.stored.length > 0) {
      return { ...delivery, keptPath: this.#drafts.keep(draft, `.${process.pid}-${fileName}.receipt`) };
    }
    this.#drafts.release(draft);
    return delivery;
  }

  #tell(waiting: readonly Waiting[], delivery: Committed, full: readonly Target[]): void {
    if (delivery.gone.length > 0) this.#index.forget();
    const failed = delivery.failed.map(({ target, error }) => ({ label: target.label, error }));
    for (const { parcel, resolve, reject } of waiting) {
      const outcome: Outcome = {
        stored: labels(delivery.stored),
        full: labels(full),
        failed,
        keptPaths: delivery.keptPath === undefined ? [] : [delivery.keptPath],
      };
      if (parcel.to !== undefined && delivery.gone.length > 0) reject(goneAddress(parcel.to));
      else if (full.length > 0 && parcel.onFull === "wait")
        this.#waitForRoom(parcel, outcome, full).then(resolve, reject);
      else if (parcel.isMandatory && outcome.stored.length + full.length + failed.length === 0)
        reject(nobody(parcel.topic));
      else resolve(outcome);
    }
  }

  /** Delivers to each full subscription as soon as it has room; what is still full when the time is up stays in `full`. */
  async #waitForRoom(parcel: Parcel, soFar: Outcome, full: readonly Target[]): Promise<Outcome> {
    const timeUp = new AbortController();
    const timer = setTimeout(() => timeUp.abort(), parcel.timeoutMs);
    const signals = [timeUp.signal, this.#closing.signal, ...(parcel.signal === undefined ? [] : [parcel.signal])];
    const outcome = {
      stored: [...soFar.stored],
      full: [] as string[],
      failed: [...soFar.failed],
      keptPaths: [...soFar.keptPaths],
    };
    const waits = full.map(async ({ label }) => {
      try {
        await this.#roomQueue.wait(label, () => this.#deliverLate(parcel, label, outcome), AbortSignal.any(signals));
      } catch (error) {
        if (!timeUp.signal.aborted) throw error;
        outcome.full.push(label);
      }
    });
    try {
      await Promise.all(waits);
      return outcome;
    } catch (error) {
      for (const path of outcome.keptPaths) this.forget(path);
      throw error;
    } finally {
      clearTimeout(timer);
      // One failure ends the waits of the others.
      timeUp.abort();
    }
  }

  /** @returns whether the wait is over: delivered, or failed, or the subscription is gone */
  #deliverLate(parcel: Parcel, label: string, outcome: LateOutcome): boolean | Promise<boolean> {
    const fail = (error: unknown) => {
      outcome.failed.push({ label, error: fromErrno(error, `deliver to ${label}`) });
      return true;
    };
    const note = (committed: Committed) => {
      if (committed.stored.length > 0) outcome.stored.push(label);
      if (committed.keptPath !== undefined) outcome.keptPaths.push(committed.keptPath);
      for (const { error } of committed.failed) fail(error);
      return true;
    };
    try {
      void this.#index.refresh();
      const target = this.#index.all().find((candidate) => candidate.label === label);
      if (target === undefined || !target.isListening()) return true;
      if (!this.#backlog.hasRoom(target)) return false;
      const committed = this.#commit(parcel, parcel.bytes, 1, [target]);
      return committed instanceof Promise ? committed.then(note, fail) : note(committed);
    } catch (error) {
      return fail(error);
    }
  }
}

interface Group {
  readonly waiting: readonly Waiting[];
  readonly targets: readonly Target[];
  readonly error?: unknown;
}

interface LateOutcome {
  readonly stored: string[];
  readonly failed: { readonly label: string; readonly error: unknown }[];
  readonly keptPaths: string[];
}

interface Committed extends Delivery {
  readonly keptPath?: string;
}

const NOBODY: Outcome = Object.freeze({ stored: [], full: [], failed: [], keptPaths: [] });

function isAlike(a: Parcel, b: Parcel): boolean {
  return (
    a.to === b.to &&
    a.topic === b.topic &&
    a.priority === b.priority &&
    a.sync === b.sync &&
    !a.keepsLink &&
    a.signal?.aborted !== true
  );
}

function labels(targets: readonly Target[]): string[] {
  return targets.map(({ label }) => label);
}

function closed(): BusError {
  return new BusError("ERR_CLOSED", "cannot publish: the bus is closed");
}

function nobody(topic: string): BusError {
  return new BusError(
    "ERR_NO_SUBSCRIPTION",
    `cannot publish to ${topic}: nobody is subscribed, and the message is mandatory`,
    {
      fix: "agentbus status shows the subscriptions and their patterns",
    },
  );
}

function goneAddress(address: string): BusError {
  return new BusError("ERR_ADDRESS_UNKNOWN", `cannot publish to ${address}: it was removed just now`);
}
