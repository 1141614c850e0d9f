/**
 * When a cached reading of a directory can be trusted.
 *
 * The kernel stamps changes with a coarse clock (up to 10 ms behind at HZ=100; Linux `current_time()`), so a change that follows a
 * reading within the same tick leaves the same stamp. A stamp therefore proves a reading only when the reading began
 * clearly after it: git calls the rest "racy" (git's Documentation/technical/racy-git.txt). Filesystems with whole-second
 * stamps (ext4 with 128-byte inodes, HFS+) are recognised by a stamp without a fraction, and wait longer.
 */
const TICK_MS = 50;
const WHOLE_SECOND_MS = 2_100;

/** A moment from before a reading, to judge afterwards whether its stamp proves it. In ms since 1970. */
export function beforeReading(): number {
  return Date.now();
}

/**
 * True when any change after `readingBegan` must carry another stamp than `changeTimeMs`. A clock that was set back puts the
 * stamp into the future; there only its distance counts.
 */
export function isProof(changeTimeMs: number, readingBegan: number): boolean {
  const margin = changeTimeMs % 1_000 === 0 ? WHOLE_SECOND_MS : TICK_MS;
  return Math.abs(readingBegan - Math.floor(changeTimeMs)) > margin;
}

/** How long a publisher goes by what it has seen of subscriptions, in milliseconds … */
const SEEN_FOR_MS = 10;
/**
 * … and how long after a change its maker may count on it that every publisher has looked again: a lease. Both are measured on one
 * machine, by the same clock, so the rest is margin.
 */
const KNOWN_AFTER_MS = 15;

/** By a clock that may stand still while the machine sleeps, and by one that can be set. In milliseconds. */
export interface Moment {
  readonly steady: number;
  readonly wall: number;
}

export function moment(): Moment {
  return { steady: performance.now(), wall: Date.now() };
}

/** Whether what a publisher began to look at `then` counts `now`. */
export function isRecent(then: Moment, now: Moment): boolean {
  return now.steady - then.steady < SEEN_FOR_MS && Math.abs(now.wall - then.wall) < SEEN_FOR_MS;
}

/** Whether every publisher has looked again since a moment by performance.now(). */
export function isKnown(since: number): boolean {
  return performance.now() - since >= KNOWN_AFTER_MS;
}

/** Resolves when every publisher has looked again since a moment by performance.now(); undefined when that is so already. */
export function untilKnown(since: number): Promise<void> | undefined {
  const waitMs = since + KNOWN_AFTER_MS - performance.now();
  if (waitMs <= 0) return undefined;
  return new Promise((resolve) => {
    // A timer may be early by a fraction of a millisecond.
    setTimeout(resolve, Math.ceil(waitMs) + 1);
  });
}
