import { compare } from "./bars.js";
import type { LatencyOptions } from "./options.js";
import { latencyTable } from "./table.js";
import { measureLatency, type LatencyConfiguration, type LatencyResult } from "./measure.js";
import type { Leftovers } from "../leftovers.js";
import { describeMachine, filesystemOf } from "../report/machine.js";
import { keepResults, resultLines, type RunFacts } from "../report/results-file.js";

/** The scenario from options to output: one run in each directory. @returns whether every transport kept its promises */
export async function runLatency(options: LatencyOptions, leftovers: Leftovers): Promise<boolean> {
  let allClean = true;
  for (const parentDir of options.parentDirs) {
    const facts = factsOf(options, parentDir);
    const results = await measureLatency({ ...options, parentDir }, leftovers, showProgress);
    showProgress("");
    tell(options, facts, results);
    allClean &&= results.every(({ isClean }) => isClean);
  }
  return allClean;
}

function factsOf(
  { perSecond, count, warmUp, rounds, envelopeBytes }: LatencyOptions,
  parentDir: string,
): RunFacts<LatencyConfiguration> {
  return {
    scenario: "latency",
    startedAt: new Date().toISOString(),
    machine: describeMachine(),
    filesystem: filesystemOf(parentDir),
    parentDir,
    configuration: { perSecond, envelopeBytes, rounds, count, warmUp },
  };
}

function tell(options: LatencyOptions, facts: RunFacts<LatencyConfiguration>, results: readonly LatencyResult[]): void {
  // A quick run is too short for its times to mean anything.
  const comparisons = options.isQuick ? [] : compare(results);
  const records = [...results, ...comparisons.map((comparison) => ({ comparison }))];
  if (options.asJson) process.stdout.write(resultLines(facts, records));
  else console.log(`${latencyTable(facts, results, comparisons)}\n`);
  if (!options.isQuick) console.error(`kept in ${keepResults(facts, records)}`);
}

/** On a terminal, one line that is written over. */
function showProgress(progress: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${progress}`);
}
