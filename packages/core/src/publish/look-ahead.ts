import type { Moment } from "../freshness.js";
import type { Lane, Streams } from "./streams.js";
import type { SubscriptionIndex } from "./subscription-index.js";
import type { TickQueue } from "./tick-queue.js";

/** A look that is older than this is repeated ahead of time where another message came within it, in milliseconds … */
const LOOK_AHEAD_MS = 4;
/** … and not at once: the subscriber that has just been woken may be waiting for this very processor. */
const LOOK_AHEAD_AFTER_MS = 1;

/** While messages follow each other closely, what they go by is looked up between them, and not by the one whose turn it is. */
export class LookAhead {
  readonly #index: SubscriptionIndex;
  readonly #streams: Streams;
  readonly #queue: TickQueue;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(index: SubscriptionIndex, streams: Streams, queue: TickQueue) {
    this.#index = index;
    this.#streams = streams;
    this.#queue = queue;
  }

  /** A message was appended. @param pauseMs since the one before */
  note(lane: Lane, pauseMs: number, now: Moment): void {
    if (pauseMs >= LOOK_AHEAD_MS || this.#timer !== undefined || !this.#index.isOlderThan(LOOK_AHEAD_MS, now)) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#look(lane);
    }, LOOK_AHEAD_AFTER_MS).unref();
  }

  close(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #look(lane: Lane): void {
    if (this.#isOver || !this.#queue.isEmpty) return;
    try {
      const { version } = this.#index;
      const identifying = this.#index.refresh();
      if (identifying !== undefined) this.#queue.waitFor(identifying);
      // The lane may be one of subscriptions that have been let go of, and looking there would open them again.
      if (this.#index.version === version) this.#streams.lookAgain(lane);
    } catch {
      // Whoever comes next finds out, and is told.
    }
  }
}
