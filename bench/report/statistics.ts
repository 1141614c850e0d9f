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

/** Nearest rank: a value that was measured, never one in between. @param latenciesNs not empty */
export function distributionOf(latenciesNs: Float64Array): Distribution {
  const sorted = Float64Array.from(latenciesNs).sort();
  const at = (share: number) => (sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN) / 1_000;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
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
  return spreadOf(a.map((value, round) => value / (b[round] ?? NaN)));
}
