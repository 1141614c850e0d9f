/** A scale that places values itself: the library's own logarithmic axis ends at powers of ten, and none stretches percentiles. */
export interface Scale {
  /** @returns where a value is, in the axis's own units */
  readonly place: (value: number) => number;
  /** The first and the last value of the axis. */
  readonly reach: readonly [number, number];
  /** The values that are labelled, ascending. */
  readonly marks: readonly number[];
}

const ROUND = [1, 2, 5];

/** @param values at least one, above 0 */
export function logarithmicScale(values: readonly number[]): Scale {
  const [lowest, highest] = [Math.min(...values), Math.max(...values)];
  const decades = Math.ceil(Math.log10(highest / lowest)) + 2;
  const rounds = Array.from({ length: decades }, (_, decade) => {
    const start = 10 ** (Math.floor(Math.log10(lowest)) + decade);
    return ROUND.map((factor) => factor * start);
  }).flat();
  const first = rounds.findLastIndex((round) => round <= lowest);
  const last = Math.max(
    first + 1,
    rounds.findIndex((round) => round >= highest),
  );
  const within = rounds.slice(first, last + 1);
  return {
    place: Math.log10,
    reach: [within[0] ?? lowest, within.at(-1) ?? highest],
    // Over more than three decades, three marks in each would stand too close.
    marks: highest / lowest > 1_000 ? within.filter((mark) => Number.isInteger(Math.log10(mark))) : within,
  };
}

/** From zero: what is a length must begin there. @param values at least one, not below 0 */
export function linearScale(values: readonly number[], steps = 6): Scale {
  const highest = Math.max(...values) || 1;
  const step = roundedUp(highest / steps);
  const marks = Array.from({ length: Math.ceil(highest / step) + 1 }, (_, index) => index * step);
  return { place: (value) => value, reach: [0, marks.at(-1) ?? highest], marks };
}

/** Stretched towards the tail: every further nine takes as much room as the step from 0 to 90. */
export const PERCENTILES: Scale = {
  place: (percentile) => -Math.log10(1 - percentile / 100),
  reach: [0, 99.9],
  marks: [0, 50, 90, 99, 99.9],
};

function roundedUp(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  return (ROUND.find((factor) => factor * decade >= value) ?? 10) * decade;
}
