/** In microseconds. */
export interface Distribution {
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

/** Nearest rank: a value that was measured, never one in between. @param samplesNs not empty */
export function distributionOf(samplesNs: readonly number[]): Distribution {
  const sorted = Float64Array.from(samplesNs).sort();
  const at = (share: number) => microseconds(sorted[Math.ceil(share * sorted.length) - 1] ?? NaN);
  return { p50Us: at(0.5), p90Us: at(0.9), p99Us: at(0.99), maxUs: at(1) };
}

/** Of an even number of values, the lower of the two in the middle. */
export function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[(values.length - 1) >> 1] ?? NaN;
}

function microseconds(ns: number): number {
  return Math.round(ns / 100) / 10;
}
