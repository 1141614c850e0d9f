/** The distribution of one round, in microseconds. */
export interface Distribution {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** A number that was measured in several rounds. */
export interface Spread {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** Percentiles that a curve is drawn through: every one, and where the tail is, finer. */
const CURVE_PERCENTILES: readonly number[] = [
  ...Array.from({ length: 100 }, (_, percentile) => percentile),
  99.5,
  99.9,
  100,
];

/** @param latenciesNs not empty */
export function distributionOf(latenciesNs: Float64Array): Distribution {
  const sorted = Float64Array.from(latenciesNs).sort();
  const at = (percentile: number) => microsecondsAt(sorted, percentile);
  return { p50: at(50), p90: at(90), p99: at(99), max: at(100) };
}

/** All rounds together. @returns percentile and microseconds, by percentile */
export function curveOf(rounds: readonly Float64Array[]): [number, number][] {
  const all = new Float64Array(rounds.reduce((sum, { length }) => sum + length, 0));
  let filled = 0;
  for (const latenciesNs of rounds) {
    all.set(latenciesNs, filled);
    filled += latenciesNs.length;
  }
  all.sort();
  return CURVE_PERCENTILES.map((percentile) => [percentile, microsecondsAt(all, percentile)]);
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
  return { median, lowest: sorted[0] ?? NaN, highest: sorted.at(-1) ?? NaN };
}

/** `a / b` round by round: both were measured within seconds of each other, so what the machine did in between cancels out. */
export function ratioOf(a: readonly number[], b: readonly number[]): Spread {
  const rounds = Math.min(a.length, b.length);
  return spreadOf(a.slice(0, rounds).map((value, round) => value / (b[round] ?? NaN)));
}

/** Nearest rank: a value that was measured, never one in between. */
function microsecondsAt(sortedNs: Float64Array, percentile: number): number {
  const rank = Math.max(1, Math.ceil((percentile / 100) * sortedNs.length));
  return (sortedNs[rank - 1] ?? NaN) / 1_000;
}
