import { availableParallelism } from "node:os";
import type { Leftovers } from "../leftovers.js";
import type { Scenario } from "../scenarios/scenario.js";
import { Lane, type LaneRound, type Result } from "./lane.js";

export interface ContestOptions {
  /** Where the contestants put their files. */
  readonly parentDir: string;
  readonly isQuick: boolean;
  /** Instead of the scenario's own number, where that is not fixed. */
  readonly rounds: number | undefined;
  /** Names of contestants. @default all */
  readonly only: readonly string[] | undefined;
  readonly report: (progress: string) => void;
}

/** Somebody who cannot take part on this machine. */
export interface Missing {
  readonly scenario: Scenario;
  readonly transport: string;
  readonly command: string;
}

export interface Outcome {
  readonly results: readonly Result[];
  readonly missing: readonly Missing[];
}

/**
 * Rounds interleave, A B C A B C …, over all contestants of all scenarios that are given, each with processes and a directory of
 * its own, so that a machine that becomes slower or faster on the way does so for all. Where they take turns, a round of all of them
 * is one after the other in short pieces: a machine changes within seconds, too.
 */
export async function holdContest(
  scenarios: readonly Scenario[],
  options: ContestOptions,
  leftovers: Leftovers,
): Promise<Outcome> {
  const { parentDir, isQuick, report } = options;
  const { lanes, missing } = await enter(scenarios, options);
  if (isQuick) {
    // Nobody looks at its times, so nobody has to be alone.
    await inParallel(2 * availableParallelism(), [...lanes.keys()], async (lane) => {
      report(lane.name);
      await lane.run(parentDir, leftovers);
    });
  } else {
    for (const [lane, { roundMs }] of lanes) {
      report(`pilot: ${lane.name}`);
      if (roundMs !== undefined) await lane.pilot(parentDir, leftovers, roundMs);
    }
    const rounds = Math.max(0, ...[...lanes.keys()].map(({ plannedRounds }) => plannedRounds));
    for (let round = 1; round <= rounds; round++) {
      const taking = [...lanes].filter(([lane]) => !lane.isOut && round <= lane.plannedRounds);
      for (const [lane] of taking) {
        if (lane.takesTurns) continue;
        report(`round ${round} of ${lane.plannedRounds}: ${lane.name}`);
        await lane.run(parentDir, leftovers);
      }
      for (const scenario of scenarios) {
        const inTurns = taking.filter(([lane, of]) => of === scenario && lane.takesTurns).map(([lane]) => lane);
        if (inTurns.length > 0) await takeTurns(inTurns, round, options, leftovers);
      }
    }
  }
  return { results: [...lanes.keys()].map((lane) => lane.result()), missing };
}

/** One round of several contestants, which all stay there, and of which one at a time sends messages. */
async function takeTurns(
  lanes: readonly Lane[],
  round: number,
  { parentDir, report }: ContestOptions,
  leftovers: Leftovers,
): Promise<void> {
  const rounds: LaneRound[] = [];
  for (const lane of shuffled(lanes)) {
    report(`round ${round} of ${lane.plannedRounds}: ${lane.name}`);
    const begun = await lane.begin(parentDir, leftovers);
    if (begun !== undefined) rounds.push(begun);
  }
  const turns = Math.max(...lanes.map((lane) => lane.turns));
  for (let turn = 0; turn < turns; turn++) {
    // Nobody always comes after the same one, who may have left a processor awake, or its cache full.
    for (const each of shuffled(rounds)) await each.turn();
  }
  for (const each of rounds) await each.end();
}

function shuffled<T>(all: readonly T[]): T[] {
  return all
    .map((one) => ({ one, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one);
}

/** Who is in every quick run: ours, and the one that needs nothing. */
const FEW: readonly string[] = ["spool", "raw-socket"];

/** Who takes part, and who would if something were installed. */
async function enter(
  scenarios: readonly Scenario[],
  { isQuick, rounds, only }: ContestOptions,
): Promise<{ lanes: Map<Lane, Scenario>; missing: Missing[] }> {
  const lanes = new Map<Lane, Scenario>();
  const missing: Missing[] = [];
  for (const scenario of scenarios) {
    const usual = isQuick ? scenario.quick : scenario.full;
    const configuration = scenario.hasFixedRounds === true ? usual : { ...usual, rounds: rounds ?? usual.rounds };
    const few = isQuick && scenario.isVariant === true ? FEW : undefined;
    for (const contestant of await scenario.contestants(only ?? few)) {
      const command = await contestant.missing();
      if (command === undefined) lanes.set(new Lane(scenario, contestant, configuration), scenario);
      else missing.push({ scenario, transport: contestant.name, command });
    }
  }
  return { lanes, missing };
}

async function inParallel<T>(atOnce: number, all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const waiting = [...all];
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await work(next);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
