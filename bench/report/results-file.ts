import { appendFileSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Missing } from "../contest/contest.js";
import type { Result } from "../contest/lane.js";
import type { BarOutcome } from "./bars.js";
import type { Machine } from "./machine.js";

/** What all results of one scenario in one run have in common. */
export interface RunFacts {
  readonly scenario: string;
  readonly title: string;
  /** RFC 3339; names the run. */
  readonly startedAt: string;
  readonly machine: Machine;
  readonly filesystem: string;
  readonly parentDir: string;
}

/** From bench/build/report/ to bench/results/; git ignores all of it but `kept/`, where what the documentation cites goes. */
const RESULTS_DIR = fileURLToPath(new URL("../../results", import.meta.url));

/** Appends lines of JSON. @returns the file */
export function keepRecords({ scenario, startedAt }: RunFacts, lines: string): string {
  mkdirSync(RESULTS_DIR, { recursive: true });
  const path = `${RESULTS_DIR}/${scenario}-${startedAt.slice(0, 10)}.ndjson`;
  appendFileSync(path, lines);
  return path;
}

/** A line of JSON for each result, for each who is missing, and for each bar. */
export function recordLines(
  facts: RunFacts,
  results: readonly Result[],
  missing: readonly Missing[],
  bars: readonly BarOutcome[],
): string {
  const records = [
    ...results.map((result) => ({ ...result, scenario: facts.scenario })),
    ...missing.map(({ transport, command }) => ({ missing: { transport, command } })),
    ...bars.map((bar) => ({ bar })),
  ];
  return records.map((record) => `${JSON.stringify({ ...facts, ...record })}\n`).join("");
}
