import type { Moment } from "../freshness.js";
import type { Route, Routes } from "./routes.js";
import type { Streams } from "./streams.js";
import type { SubscriptionIndex } from "./subscription-index.js";
import type { TickQueue } from "./tick-queue.js";

/** A message that comes within this time of the one before is probably followed by another, in milliseconds … */
const SOON_MS = 4;
/** … so from then on it is looked so often, well within the time for which a look counts (freshness.ts) … */
const LOOK_EVERY_MS = 5;
/** … but not right behind a message, if a moment later will do: the subscriber that it has woken may be waiting for this very processor. */
const RIGHT_BEHIND_MS = 0.5;
const MOMENT_MS = 1;

export interface LookAheadParts {
  readonly index: SubscriptionIndex;
  readonly streams: Streams;
  readonly routes: Routes;
  readonly queue: TickQueue;
}

/**
 * While messages follow each other closely, what they go by is looked up between them, and not by the one whose turn it is.
 *
 * Nothing is scheduled by a message but the first of them: work behind a write keeps its subscriber waiting where both share a processor,
 * and with a timer that is due before the kernel's own tick it takes a virtual machine longer to go to sleep (docs/performance.md).
 */
export class LookAhead {
  readonly #index: SubscriptionIndex;
  readonly #streams: Streams;
  readonly #routes: Routes;
  readonly #queue: TickQueue;
  /** Routes that were taken lately and are to be renewed. */
  readonly #due = new Set<Route>();
  /** undefined while messages come singly. */
  #timer: NodeJS.Timeout | undefined;
  /** Of the last message since the last look; undefined when none has come. */
  #last: Route | undefined;
  /** By performance.now(). */
  #lastAt = 0;
  #isPutOff = false;

  constructor({ index, streams, routes, queue }: LookAheadParts) {
    this.#index = index;
    this.#streams = streams;
    this.#routes = routes;
    this.#queue = queue;
  }

  /** A message was appended. @param pauseMs since the one before */
  note(route: Route, pauseMs: number, now: Moment): void {
    if (pauseMs >= SOON_MS) return;
    if (route.isDue(now)) this.#due.add(route);
    this.#last = route;
    this.#lastAt = now.steady;
    if (this.#timer === undefined) this.#comeBackIn(MOMENT_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #comeBackIn(ms: number): void {
    this.#timer = setTimeout(() => this.#onTime(), ms).unref();
  }

  #onTime(): void {
    this.#timer = undefined;
    const route = this.#last;
    if (route === undefined) return;
    this.#isPutOff = !this.#isPutOff && performance.now() - this.#lastAt < RIGHT_BEHIND_MS;
    if (this.#isPutOff) return this.#comeBackIn(MOMENT_MS);
    this.#last = undefined;
    this.#comeBackIn(LOOK_EVERY_MS);
    this.#look(route);
  }

  #look({ lane, version }: Route): void {
    if (!this.#queue.isEmpty) return;
    const due = [...this.#due];
    this.#due.clear();
    try {
      const identifying = this.#index.refresh();
      if (identifying !== undefined) return this.#queue.waitFor(identifying);
      // The lane may be one of subscriptions that have been let go of, and looking there would open them again.
      if (this.#index.version === version) this.#streams.lookAgain(lane);
      for (const route of due) this.#routes.renew(route);
    } catch {
      // Whoever comes next finds out, and is told.
    }
  }
}
