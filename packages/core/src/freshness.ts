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
