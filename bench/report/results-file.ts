import { appendFileSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Machine } from "./machine.js";

/** What all results of one run have in common. */
export interface RunFacts<Configuration = unknown> {
  readonly scenario: string;
  /** RFC 3339; names the run. */
  readonly startedAt: string;
  readonly machine: Machine;
  readonly filesystem: string;
  readonly parentDir: string;
  readonly configuration: Configuration;
}

/** From bench/build/report/ to bench/results/; git ignores all of it but `kept/`, where what the documentation cites goes. */
const RESULTS_DIR = fileURLToPath(new URL("../../results", import.meta.url));

/** Appends a line of JSON for each result. @returns the file */
export function keepResults(facts: RunFacts, results: readonly object[]): string {
  mkdirSync(RESULTS_DIR, { recursive: true });
  const path = `${RESULTS_DIR}/${facts.scenario}-${facts.startedAt.slice(0, 10)}.ndjson`;
  appendFileSync(path, resultLines(facts, results));
  return path;
}

export function resultLines(facts: RunFacts, results: readonly object[]): string {
  return results.map((result) => `${JSON.stringify({ ...facts, ...result })}\n`).join("");
}
