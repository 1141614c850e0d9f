import { InvalidArgumentError } from "commander";

const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
/** The longest wait of a Node timer, some 24 days. */
const MAX_MS = 2_147_483_647;

/** "30s", "500ms", "1.5h" as milliseconds. A number alone would be seconds to one and milliseconds to another. */
export function parseDuration(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * UNITS_MS[unit as keyof typeof UNITS_MS]);
  if (unit !== undefined && ms >= 1 && ms <= MAX_MS) return ms;
  throw new InvalidArgumentError("It is a number and a unit, at most 24 days: 500ms, 30s, 10m, 2h, 1d.");
}

/** A whole number, or an error: never silently something else. */
export function parseWhole(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}.`);
  };
}

const STEPS = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
] as const;

/** For people: "2 ms", "14 s", "3 min". */
export function formatDuration(ms: number): string {
  const [size, unit] = STEPS.find(([step]) => Math.abs(ms) >= step) ?? [1, "ms"];
  return `${Math.trunc(ms / size)} ${unit}`;
}
