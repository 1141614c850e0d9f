import { SYNC_READ_BYTES } from "../bounded-read.js";
import { DEFAULT_PRIORITY } from "../envelope.js";
import { errnoOf, fromErrno } from "../errors.js";
import type { Moment } from "../freshness.js";
import type { Spool } from "../spool.js";
import { whenReady } from "../when-ready.js";
import { Backlog } from "./backlog.js";
import { Committer, type Committed } from "./committer.js";
import { LateDelivery } from "./late-delivery.js";
import { closed, goneAddress, nobody, NOBODY, type Outcome, type Parcel } from "./parcel.js";
import type { Lane } from "./streams.js";
import { SubscriptionIndex } from "./subscription-index.js";
import type { Target } from "./target.js";

/** Publishes may share a file up to so many … */
const MAX_SHARED = 256;
/** … and so many bytes: as many as a receiver reads without a detour through the thread pool. */
const MAX_SHARED_BYTES = SYNC_READ_BYTES;

/** A route is gone by for so long, in milliseconds. */
const ROUTE_FOR_MS = 100;
const MAX_ROUTES = 1_000;
/** Messages that follow each other this closely may be of one tick, in milliseconds. */
const BURST_MS = 0.1;
/** A look that is older than this is repeated ahead of time where another message came within it, in milliseconds … */
const LOOK_AHEAD_MS = 4;
/** … and not at once: the subscriber that has just been woken may be waiting for this very processor. */
const LOOK_AHEAD_AFTER_MS = 1;

/** The way that a message to a topic took a moment ago, when it was appended to a stream. */
export interface Route {
  readonly lane: Lane;
  readonly labels: readonly string[];
  /** By performance.now(). */
  readonly until: number;
  /** Of the list of subscriptions. */
  readonly version: number;
}

interface Waiting {
  readonly parcel: Parcel;
  readonly resolve: (outcome: Outcome | Promise<Outcome>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Takes parcels in order, looks up who gets them, and has them committed.
 *
 * The first parcel of a tick is committed at once; those that follow in the same tick come together in the microtask after it,
 * and neighbours that go to the same subscriptions share a file. With `sync`, parcels that arrive while the disk is busy form the
 * next group, so that one fsync carries them all (group commit).
 */
export class Outbox {
  readonly #spool: Spool;
  readonly #index: SubscriptionIndex;
  readonly #backlog: Backlog;
  readonly #committer: Committer;
  readonly #late: LateDelivery;
  readonly #closing = new AbortController();
  #queue: Waiting[] = [];
  /** A microtask is to come that commits the queue. */
  #isGathering = false;
  readonly #endTick = () => {
    this.#isGathering = false;
    this.#run();
  };
  /** Set while a commit waits for the disk or the account database. */
  #running: Promise<void> | undefined;
  readonly #unsettled = new Set<Promise<unknown>>();
  readonly #routes = new Map<string, Route>();
  #lookingAhead: NodeJS.Timeout | undefined;

  constructor(spool: Spool) {
    this.#spool = spool;
    this.#index = new SubscriptionIndex(spool);
    this.#backlog = new Backlog(spool);
    this.#committer = new Committer(spool, this.#backlog);
    this.#late = new LateDelivery(this.#index, this.#backlog, this.#committer);
  }

  /** @returns a promise when it has to wait: for the rest of the tick, the disk, the account database, or room @throws BusError */
  put(parcel: Parcel): Outcome | Promise<Outcome> {
    if (this.#closing.signal.aborted) throw closed();
    const isAlone = this.#isAlone;
    this.#gather();
    if (!isAlone || parcel.sync !== "none") return this.#enqueue(parcel);
    const identifying = this.#index.isFresh(parcel.to) ? undefined : this.#refresh();
    if (identifying !== undefined) {
      this.#waitFor(identifying);
      return this.#enqueue(parcel);
    }
    const targets = this.#lookUp(parcel);
    if (targets.length === 0) return NOBODY;
    const outcome = whenReady(this.#deliver([parcel], targets), (delivered) => this.#outcomeOf(parcel, delivered));
    if (outcome instanceof Promise) this.#track(outcome);
    else this.#noteRoute(parcel, targets, outcome);
    return outcome;
  }

  /**
   * How the next message to a topic may go without being looked up.
   * @returns undefined when it goes by `put()`, which finds out and notes it
   */
  routeTo(topic: string, now: Moment): Route | undefined {
    const route = this.#routes.get(topic);
    if (route === undefined || now.steady >= route.until || route.version !== this.#index.version) return undefined;
    return this.#isAlone && this.#index.isFreshAt(now) ? route : undefined;
  }

  /**
   * Appends a line.
   * @param bytes that it has at the most
   * @returns whether it is stored; when not, some may have it, and it has to be sent again. undefined when the route does not take it
   */
  sendBy({ lane }: Route, line: string, bytes: number, now: Moment): boolean | undefined {
    const { streams } = this.#committer;
    if (!streams.takes(lane, bytes, 1, now)) return undefined;
    const pauseMs = now.steady - lane.lastAt;
    // One that comes so soon after another may be of the same tick, and so may be the next.
    if (pauseMs < BURST_MS) this.#gather();
    try {
      const isStored = streams.appendTo(lane, line);
      if (pauseMs < LOOK_AHEAD_MS && isStored) this.#lookAhead(lane, now);
      return isStored;
    } catch {
      // A file of its own tells whether it is the disk or the stream.
      return false;
    }
  }

  /** While messages follow each other closely, what they go by is looked up between them, and not by the one whose turn it is. */
  #lookAhead(lane: Lane, now: Moment): void {
    if (this.#lookingAhead !== undefined || !this.#index.isOlderThan(LOOK_AHEAD_MS, now)) return;
    this.#lookingAhead = setTimeout(() => {
      this.#lookingAhead = undefined;
      if (this.#closing.signal.aborted || !this.#isAlone) return;
      try {
        const { version } = this.#index;
        const identifying = this.#index.refresh();
        if (identifying !== undefined) this.#waitFor(identifying);
        // The lane may be one of subscriptions that have been let go of, and looking there would open them again.
        if (this.#index.version === version) this.#committer.streams.lookAgain(lane);
      } catch {
        // Whoever comes next finds out, and is told.
      }
    }, LOOK_AHEAD_AFTER_MS).unref();
  }

  /** Removes a publisher's own link. */
  forget(keptPath: string): void {
    this.#committer.forget(keptPath);
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
    clearTimeout(this.#lookingAhead);
    this.#committer.close();
    this.#index.close();
  }

  /** Nobody is before it in this tick. */
  get #isAlone(): boolean {
    return !this.#isGathering && this.#queue.length === 0 && this.#running === undefined;
  }

  /** Whoever lines up for room, has a schema or a priority of its own, goes by `put()`. */
  #noteRoute({ to, topic, priority, sync, keepsLink }: Parcel, targets: readonly Target[], outcome: Outcome): void {
    if (to !== undefined || sync !== "none" || keepsLink || priority !== DEFAULT_PRIORITY) return;
    if (outcome.stored.length < targets.length || this.#mayHaveSchema(topic)) return;
    const lane = this.#committer.streams.laneTo(priority, targets);
    if (lane === undefined) return;
    if (this.#routes.size >= MAX_ROUTES) this.#routes.clear();
    const until = performance.now() + ROUTE_FOR_MS;
    this.#routes.set(topic, { lane, labels: [...outcome.stored], until, version: this.#index.version });
  }

  /** Asked when the message is stored: what is wrong now is for the next one to tell. */
  #mayHaveSchema(topic: string): boolean {
    try {
      return this.#spool.schemas.knows(topic);
    } catch {
      return true;
    }
  }

  #enqueue(parcel: Parcel): Promise<Outcome> {
    const outcome = new Promise<Outcome>((resolve, reject) => {
      this.#queue.push({ parcel, resolve, reject });
    });
    this.#track(outcome);
    return outcome;
  }

  #track(outcome: Promise<Outcome>): void {
    this.#unsettled.add(outcome);
    const forget = () => void this.#unsettled.delete(outcome);
    outcome.then(forget, forget);
  }

  /** A microtask later, the publishes of this tick are all in the queue. */
  #gather(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    // queueMicrotask() makes a resource for async_hooks each time; #run() never throws.
    void SETTLED.then(this.#endTick);
  }

  #run(): void {
    while (this.#queue.length > 0 && this.#running === undefined) {
      const waiting = this.#queue;
      this.#queue = [];
      const settling = this.#settleAll(waiting);
      if (settling !== undefined) this.#waitFor(settling);
    }
  }

  #waitFor(promise: Promise<void>): void {
    const goOn = () => {
      this.#running = undefined;
      this.#run();
    };
    this.#running = promise.then(goOn, goOn);
  }

  /** Commits parcels that were all handed in before this look at the subscriptions, in their order. */
  #settleAll(waiting: readonly Waiting[]): void | Promise<void> {
    const fail = (error: unknown) => {
      for (const { reject } of waiting) reject(error);
    };
    try {
      const identifying = this.#refresh();
      if (identifying !== undefined) return identifying.then(() => this.#settleFrom(waiting, 0), fail);
    } catch (error) {
      return fail(error);
    }
    return this.#settleFrom(waiting, 0);
  }

  #refresh(): void | Promise<void> {
    try {
      return this.#index.refresh();
    } catch (error) {
      throw fromErrno(error, "look up subscriptions in", this.#spool.path);
    }
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
    let targets: readonly Target[];
    try {
      targets = this.#lookUp(first.parcel);
    } catch (error) {
      return { waiting: group, targets: [], error };
    }
    if (!this.#mayShare(first.parcel, targets)) return { waiting: group, targets };
    const maxBytes = Math.min(MAX_SHARED_BYTES, this.#spool.limits.maxEnvelopeBytes);
    let bytes = Buffer.byteLength(first.parcel.text);
    for (let i = start + 1; i < all.length && group.length < MAX_SHARED; i++) {
      const { parcel } = all[i] as Waiting;
      bytes += Buffer.byteLength(parcel.text);
      if (bytes > maxBytes || !isAlike(parcel, first.parcel)) break;
      group.push(all[i] as Waiting);
    }
    return { waiting: group, targets };
  }

  /** @throws BusError, or the signal's own reason */
  #lookUp(parcel: Parcel): readonly Target[] {
    parcel.signal?.throwIfAborted();
    try {
      const targets =
        parcel.to === undefined ? this.#index.forTopic(parcel.topic) : [this.#index.forAddress(parcel.to)];
      if (targets.length === 0 && parcel.isMandatory) throw nobody(parcel.topic);
      return targets;
    } catch (error) {
      throw errnoOf(error) === undefined ? error : fromErrno(error, "look up subscriptions in", this.#spool.path);
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
    const tell = (delivered: Delivered) => {
      for (const { parcel, resolve, reject } of waiting) {
        try {
          resolve(this.#outcomeOf(parcel, delivered));
        } catch (failure) {
          reject(failure);
        }
      }
    };
    const fail = (failure: unknown) => {
      for (const { reject } of waiting) reject(failure);
    };
    try {
      const parcels = waiting.map(({ parcel }) => parcel);
      const delivering = this.#deliver(parcels, targets);
      if (delivering instanceof Promise) return delivering.then(tell, fail);
      tell(delivering);
    } catch (failure) {
      fail(failure);
    }
  }

  /** Commits parcels that share a file to those of their targets that have room. @throws BusError */
  #deliver(parcels: readonly Parcel[], targets: readonly Target[]): Delivered | Promise<Delivered> {
    const [first] = parcels as [Parcel];
    try {
      const full = this.#fullOf(targets);
      const roomy = full.length === 0 ? targets : targets.filter((target) => !full.includes(target));
      const text = parcels.length === 1 ? first.text : parcels.map((parcel) => parcel.text).join("");
      const committing = this.#committer.commit(first, text, parcels.length, roomy);
      return whenReady(committing, (committed) => ({ committed, full }));
    } catch (error) {
      throw fromErrno(error, "publish");
    }
  }

  #fullOf(targets: readonly Target[]): readonly Target[] {
    let full: readonly Target[] = NONE;
    for (const target of targets) {
      if (this.#late.isAwaitedBy(target.label) || !this.#backlog.hasRoom(target)) full = [...full, target];
    }
    return full;
  }

  /** What to tell about one of the parcels that were delivered together. @throws BusError */
  #outcomeOf(parcel: Parcel, { committed, full }: Delivered): Outcome | Promise<Outcome> {
    const { stored, gone, failed, keptPath } = committed;
    if (gone.length > 0) {
      this.#index.forget();
      if (parcel.to !== undefined) throw goneAddress(parcel.to);
      if (parcel.isMandatory && stored.length + full.length + failed.length === 0) throw nobody(parcel.topic);
    }
    const outcome: Outcome = {
      stored: labels(stored),
      full: labels(full),
      failed: failed.length === 0 ? NONE : failed.map(({ target, error }) => ({ label: target.label, error })),
      keptPaths: keptPath === undefined ? NONE : [keptPath],
    };
    if (full.length === 0 || parcel.onFull !== "wait") return outcome;
    // Nothing overtakes it.
    this.#routes.clear();
    return this.#late.waitForRoom(parcel, outcome, this.#closing.signal);
  }
}

interface Group {
  readonly waiting: readonly Waiting[];
  readonly targets: readonly Target[];
  readonly error?: unknown;
}

interface Delivered {
  readonly committed: Committed;
  /** They have no room. */
  readonly full: readonly Target[];
}

const SETTLED = Promise.resolve();
const NONE: readonly never[] = Object.freeze([]);

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

function labels(targets: readonly Target[]): readonly string[] {
  return targets.length === 0 ? NONE : targets.map(({ label }) => label);
}
