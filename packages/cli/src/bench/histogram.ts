/** How many samples are at least `fromUs` and less than `toUs`. */
export interface Bucket {
  readonly fromUs: number;
  readonly toUs: number;
  readonly count: number;
}

/** Six steps to a decade, each some 1.47 times the last, in numbers that one can read: E6 of IEC 60063. */
const STEPS = [10, 15, 22, 33, 47, 68] as const;

/** Buckets as wide as each other on a logarithmic scale, from the lowest sample to the highest. @param samplesNs not empty */
export function histogramOf(samplesNs: readonly number[]): Bucket[] {
  const counts = new Map<number, number>();
  for (const ns of samplesNs) {
    const index = bucketOf(ns / 1_000);
    counts.set(index, (counts.get(index) ?? 0) + 1);
  }
  const first = Math.min(...counts.keys());
  const last = Math.max(...counts.keys());
  return Array.from({ length: last - first + 1 }, (_, offset) => {
    const index = first + offset;
    return { fromUs: boundOf(index), toUs: boundOf(index + 1), count: counts.get(index) ?? 0 };
  });
}

/** A line for each bucket. @param width of the longest bar, in characters @param hasBlocks whether the terminal draws them */
export function drawHistogram(buckets: readonly Bucket[], width: number, hasBlocks: boolean): string[] {
  const highest = Math.max(...buckets.map(({ count }) => count));
  const rows = buckets.map(({ fromUs, toUs, count }) => ({
    range: `${fromUs}–${toUs}`.replace("–", hasBlocks ? "–" : "-"),
    count: String(count),
    bar: barOf((count / highest) * width, hasBlocks),
  }));
  const rangeWidth = Math.max(...rows.map(({ range }) => range.length));
  const countWidth = Math.max(...rows.map(({ count }) => count.length));
  return rows.map(({ range, count, bar }) =>
    `${range.padStart(rangeWidth)}  ${count.padStart(countWidth)}  ${bar}`.trimEnd(),
  );
}

/** Whether characters beyond ASCII can be shown (locale(7): LC_ALL, then LC_CTYPE, then LANG). */
export function canDrawBlocks(env: NodeJS.ProcessEnv): boolean {
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return /utf-?8/i.test(locale) && env["TERM"] !== "dumb";
}

/** Below 10 µs is one bucket. */
function bucketOf(us: number): number {
  let index = -1;
  while (boundOf(index + 1) <= us) index++;
  return index;
}

/** @param index 0 is 10 µs, -1 is 0 */
function boundOf(index: number): number {
  if (index < 0) return 0;
  return (STEPS[index % STEPS.length] ?? NaN) * 10 ** Math.floor(index / STEPS.length);
}

/** Eighths of a block (Unicode, Block Elements). */
const PARTS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"] as const;

/** What is not nothing is seen. */
function barOf(length: number, hasBlocks: boolean): string {
  if (length === 0) return "";
  if (!hasBlocks) return "#".repeat(Math.max(1, Math.round(length)));
  const eighths = Math.max(1, Math.round(length * 8));
  return "█".repeat(eighths >> 3) + PARTS[eighths & 7];
}
