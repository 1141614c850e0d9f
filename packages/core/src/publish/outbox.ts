import type { Moment } from "../freshness.js";
import type { Spool } from "../spool.js";
import { Backlog } from "./backlog.js";
import { Committer } from "./committer.js";
import { Dispatch } from "./dispatch.js";
import { LateDelivery } from "./late-delivery.js";
import { LookAhead } from "./look-ahead.js";
import { closed, type Outcome, type Parcel } from "./parcel.js";
import { Routes, type Route } from "./routes.js";
import { SubscriptionIndex } from "./subscription-index.js";
import { TickQueue } from "./tick-queue.js";

/** Messages that follow each other this closely may be of one tick, in milliseconds. */
const BURST_MS = 0.1;

/**
 * Takes parcels in order, looks up who gets them, and has them committed.
 *
 * The first parcel of a tick is committed at once; those that follow in the same tick come together in the microtask after it,
 * and neighbours that go to the same subscriptions share a file. With `sync`, parcels that arrive while the disk is busy form the
 * next group, so that one fsync carries them all (group commit).
 */
export class Outbox {
  readonly #index: SubscriptionIndex;
  readonly #committer: Committer;
  readonly #dispatch: Dispatch;
  readonly #routes: Routes;
  readonly #lookAhead: LookAhead;
  readonly #closing = new AbortController();
  readonly #queue = new TickQueue((waiting) => this.#dispatch.settleAll(waiting));
  readonly #unsettled = new Set<Promise<unknown>>();

  constructor(spool: Spool) {
    const index = new SubscriptionIndex(spool);
    const backlog = new Backlog(spool);
    const committer = new Committer(spool, backlog);
    const late = new LateDelivery(index, backlog, committer);
    this.#index = index;
    this.#committer = committer;
    const onWait = () => this.#routes.clear();
    this.#dispatch = new Dispatch(spool, { index, backlog, committer, late, closing: this.#closing.signal, onWait });
    const { streams } = committer;
    this.#routes = new Routes(spool, { index, streams, fullOf: (targets) => this.#dispatch.fullOf(targets) });
    this.#lookAhead = new LookAhead({ index, streams, routes: this.#routes, queue: this.#queue });
  }

  /** @returns a promise when it has to wait: for the rest of the tick, the disk, the account database, or room @throws BusError */
  put(parcel: Parcel): Outcome | Promise<Outcome> {
    if (this.#closing.signal.aborted) throw closed();
    const isFirst = this.#queue.isEmpty;
    this.#queue.gather();
    if (!isFirst || parcel.sync !== "none") return this.#enqueue(parcel);
    const identifying = this.#index.isFresh(parcel.to) ? undefined : this.#dispatch.refresh();
    if (identifying !== undefined) {
      this.#queue.waitFor(identifying);
      return this.#enqueue(parcel);
    }
    const targets = this.#dispatch.lookUp(parcel);
    const outcome = this.#dispatch.send(parcel, targets);
    if (outcome instanceof Promise) this.#track(outcome);
    else if (targets.length > 0) this.#routes.note(parcel, targets, outcome);
    return outcome;
  }

  /**
   * How the next message may go without being looked up.
   * @param to a direct message's address
   * @returns undefined when it goes by `put()`, which finds out and notes it
   */
  routeTo(to: string | undefined, topic: string, now: Moment): Route | undefined {
    return this.#queue.isEmpty && this.#index.isFreshAt(now) ? this.#routes.find(to, topic, now) : undefined;
  }

  /**
   * Appends a line.
   * @param bytes that it has at the most
   * @returns whether it is stored; when not, some may have it, and it has to be sent again. undefined when the route does not take it
   */
  sendBy(route: Route, line: string, bytes: number, now: Moment): boolean | undefined {
    const { streams } = this.#committer;
    const { lane } = route;
    if (!streams.takes(lane, bytes, 1, now)) return undefined;
    const pauseMs = now.steady - lane.lastAt;
    // One that comes so soon after another may be of the same tick, and so may be the next.
    if (pauseMs < BURST_MS) this.#queue.gather();
    try {
      const isStored = streams.appendTo(lane, line);
      if (isStored) this.#lookAhead.note(route, pauseMs, now);
      return isStored;
    } catch {
      // A file of its own tells whether it is the disk or the stream.
      return false;
    }
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
    await this.#queue.whenDone();
    this.#closing.abort(closed());
    this.#routes.clear();
    await this.drain();
    this.#lookAhead.close();
    this.#committer.close();
    this.#index.close();
  }

  #enqueue(parcel: Parcel): Promise<Outcome> {
    const outcome = this.#queue.add(parcel);
    this.#track(outcome);
    return outcome;
  }

  #track(outcome: Promise<Outcome>): void {
    this.#unsettled.add(outcome);
    const forget = () => void this.#unsettled.delete(outcome);
    outcome.then(forget, forget);
  }
}
