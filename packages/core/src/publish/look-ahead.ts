import type { Moment } from "../freshness.js";
import type { Route, Routes } from "./routes.js";
import type { Streams } from "./streams.js";
import type { SubscriptionIndex } from "./subscription-index.js";
import type { TickQueue } from "./tick-queue.js";

/** A look that is older than this is repeated ahead of time where another message came within it, in milliseconds … */
const LOOK_AHEAD_MS = 4;
/** … and not at once: the subscriber that has just been woken may be waiting for this very processor. */
const LOOK_AHEAD_AFTER_MS = 1;

export interface LookAheadParts {
  readonly index: SubscriptionIndex;
  readonly streams: Streams;
  readonly routes: Routes;
  readonly queue: TickQueue;
}

/** While messages follow each other closely, what they go by is looked up between them, and not by the one whose turn it is. */
export class LookAhead {
  readonly #index: SubscriptionIndex;
  readonly #streams: Streams;
  readonly #routes: Routes;
  readonly #queue: TickQueue;
  /** Routes that were taken lately and are to be renewed. */
  readonly #due = new Set<Route>();
  /** One for all looks: to make another costs as much as a tenth of a publish. */
  #timer: NodeJS.Timeout | undefined;
  /** The route of the message after which the next look comes; undefined when none is to come. */
  #next: Route | undefined;
  #isOver = false;

  constructor({ index, streams, routes, queue }: LookAheadParts) {
    this.#index = index;
    this.#streams = streams;
    this.#routes = routes;
    this.#queue = queue;
  }

  /** A message was appended. @param pauseMs since the one before */
  note(route: Route, pauseMs: number, now: Moment): void {
    if (pauseMs >= LOOK_AHEAD_MS) return;
    const isDue = route.isDue(now);
    if (isDue) this.#due.add(route);
    if (this.#next !== undefined || !(isDue || this.#index.isOlderThan(LOOK_AHEAD_MS, now))) return;
    this.#next = route;
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#onTime(), LOOK_AHEAD_AFTER_MS).unref();
    else this.#timer.refresh();
  }

  close(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #onTime(): void {
    const route = this.#next;
    this.#next = undefined;
    if (route !== undefined) this.#look(route);
  }

  #look({ lane, version }: Route): void {
    if (this.#isOver || !this.#queue.isEmpty) return;
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
