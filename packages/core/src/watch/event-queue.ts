import fs from "node:fs";

/**
 * The kernel keeps so many events for a process at the least (inotify(7), `max_queued_events`); what comes on top is lost …
 */
const QUEUE_LENGTH = 16_384;
/** … which takes longer than this, in milliseconds: one event costs the kernel more than 60 ns, on however many processors. */
const FILLING_MS = 1;

/**
 * Tells whether an event is certainly the one that followed the event before, that is whether the kernel's queue cannot have
 * overflowed in between. All watches of a thread share that queue, and libuv keeps the overflow to itself.
 *
 * libuv empties the queue before it waits for something new. So no event was lost if the thread has worked for less time than
 * the queue takes to fill since it last waited, or since the event before that. A process that was stopped looks as if it had
 * waited, but what it lost comes after the whole queue, which takes longer to read than that.
 */
export class EventQueue {
  readonly #isLong = isLong();
  #idleMs = 0;
  #activeMs = 0;
  /** How long the thread had worked when it came to the last event before it waited: then or later the queue was empty. */
  #emptyAtMs = 0;

  /** To be called for every event, once. */
  isNext(): boolean {
    const { idle, active } = performance.eventLoopUtilization();
    if (idle > this.#idleMs) this.#emptyAtMs = this.#activeMs;
    this.#idleMs = idle;
    this.#activeMs = active;
    return this.#isLong && active - this.#emptyAtMs < FILLING_MS;
  }
}

/** False also where there is no inotify. */
function isLong(): boolean {
  try {
    return Number(fs.readFileSync("/proc/sys/fs/inotify/max_queued_events", "latin1")) >= QUEUE_LENGTH;
  } catch {
    return false;
  }
}
