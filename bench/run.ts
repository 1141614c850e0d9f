import { holdContest, type Outcome } from "./contest/contest.js";
import type { Leftovers } from "./leftovers.js";
import type { BenchOptions } from "./options.js";
import { barsReached, type BarOutcome } from "./report/bars.js";
import { describeMachine, filesystemOf } from "./report/machine.js";
import { keepRecords, recordLines, type RunFacts } from "./report/results-file.js";
import { barsTable, scenarioTable } from "./report/table.js";
import type { Scenario } from "./scenarios/scenario.js";

/** All scenarios that were asked for, in each directory. @returns whether every contestant kept its promises */
export async function runBench(options: BenchOptions, leftovers: Leftovers): Promise<boolean> {
  let allClean = true;
  for (const parentDir of options.parentDirs) {
    let all: Outcome = { results: [], missing: [] };
    for (const scenarios of contestsOf(options)) {
      const startedAt = new Date().toISOString();
      const machine = describeMachine();
      const place = { startedAt, machine, filesystem: filesystemOf(parentDir), parentDir };
      const outcome = await holdContest(scenarios, { ...options, parentDir, report: showProgress }, leftovers);
      showProgress("");
      // A quick run is too short for its times to mean anything.
      const reached = options.isQuick ? [] : barsReached(outcome);
      for (const { id, title } of scenarios) tell(options, { scenario: id, title, ...place }, outcome, reached);
      all = { results: [...all.results, ...outcome.results], missing: [...all.missing, ...outcome.missing] };
      allClean &&= outcome.results.every(({ isClean }) => isClean);
    }
    // Some compare two families.
    const bars = options.isQuick ? [] : barsReached(all);
    if (bars.length > 0 && !options.asJson) console.log(`${barsTable(bars)}\n`);
  }
  return allClean;
}

/** Families one after the other, so that what is measured is kept soon; a quick run is all one, and is over sooner. */
function contestsOf({ scenarios, isQuick }: BenchOptions): Scenario[][] {
  if (isQuick) return [[...scenarios]];
  const families = [...new Set(scenarios.map(({ family }) => family))];
  return families.map((family) => scenarios.filter((scenario) => scenario.family === family));
}

function tell(options: BenchOptions, facts: RunFacts, outcome: Outcome, allBars: readonly BarOutcome[]): void {
  const results = outcome.results.filter(({ scenario }) => scenario.id === facts.scenario);
  const missing = outcome.missing.filter(({ scenario }) => scenario.id === facts.scenario);
  if (results.length + missing.length === 0) return;
  const bars = allBars.filter(({ scenario }) => scenario === facts.scenario);
  const lines = recordLines(facts, results, missing, bars);
  if (options.asJson) process.stdout.write(lines);
  else console.log(`${scenarioTable(facts, results, missing)}\n`);
  if (!options.isQuick) console.error(`kept in ${keepRecords(facts, lines)}`);
}

/** On a terminal, one line that is written over. */
function showProgress(progress: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${progress}`);
}
