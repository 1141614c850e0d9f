import type { Assignment } from "../ends/assignment.js";
import type { Leftovers } from "../leftovers.js";
import { EndProcess } from "../ends/end-process.js";
import { isClean, sumOf, type Losses } from "../ends/serials.js";
import { distributionOf, type Distribution } from "../report/statistics.js";
import { loadTransport, type TransportName } from "../transports/index.js";

export interface LatencyConfiguration extends Omit<Assignment, "transport" | "dir"> {
  readonly rounds: number;
}

export interface LatencyPlan extends LatencyConfiguration {
  readonly transports: readonly TransportName[];
  /** Where the transports put their files. */
  readonly parentDir: string;
}

export interface LatencyResult {
  readonly transport: TransportName;
  readonly description: string;
  readonly rounds: readonly Distribution[];
  readonly losses: Losses;
  /** False when a message was lost or repeated, or overtook another where that is promised not to happen. */
  readonly isClean: boolean;
}

interface Round {
  readonly distribution: Distribution;
  readonly losses: Losses;
}

/** How long an end may take to start or to finish, in milliseconds. */
const PATIENCE_MS = 30_000;

/**
 * One-way latency, paced: from just before a publish to the first statement of the handler, in another process.
 *
 * Rounds interleave, A B C A B C …, each with processes and a directory of its own, so that a machine that becomes slower or
 * faster on the way does so for all.
 */
export async function measureLatency(
  plan: LatencyPlan,
  leftovers: Leftovers,
  report: (progress: string) => void,
): Promise<LatencyResult[]> {
  const rounds = new Map<TransportName, Round[]>(plan.transports.map((name) => [name, []]));
  for (let round = 1; round <= plan.rounds; round++) {
    for (const [name, done] of rounds) {
      report(`round ${round} of ${plan.rounds}: ${name}`);
      done.push(await measureRound(plan, name, leftovers));
    }
  }
  return Promise.all([...rounds].map(([name, done]) => summarize(name, done)));
}

async function measureRound(plan: LatencyPlan, name: TransportName, leftovers: Leftovers): Promise<Round> {
  const transport = await loadTransport(name);
  const dir = leftovers.makeDir(plan.parentDir);
  const assignment: Assignment = {
    transport: name,
    dir,
    envelopeBytes: plan.envelopeBytes,
    perSecond: plan.perSecond,
    warmUp: plan.warmUp,
    count: plan.count,
  };
  const stop = await transport.start(dir);
  try {
    return await runEnds(assignment, leftovers);
  } finally {
    await stop();
    leftovers.removeDir(dir);
  }
}

async function runEnds(assignment: Assignment, leftovers: Leftovers): Promise<Round> {
  const subscriber = new EndProcess("subscriber", assignment, leftovers);
  let publisher: EndProcess | undefined;
  try {
    await subscriber.expect("ready", PATIENCE_MS);
    publisher = new EndProcess("publisher", assignment, leftovers);
    const sendingMs = ((assignment.warmUp + assignment.count) * 1_000) / assignment.perSecond;
    await publisher.expect("sent", 2 * sendingMs + PATIENCE_MS);
    subscriber.tell("finish");
    const { latenciesNs, losses } = await subscriber.expect("arrived", PATIENCE_MS);
    return { distribution: distributionOf(latenciesNs), losses };
  } finally {
    publisher?.kill();
    subscriber.kill();
  }
}

async function summarize(name: TransportName, rounds: readonly Round[]): Promise<LatencyResult> {
  const { description, keepsOrder } = await loadTransport(name);
  const losses = sumOf(rounds.map((round) => round.losses));
  return {
    transport: name,
    description,
    rounds: rounds.map(({ distribution }) => distribution),
    losses,
    isClean: isClean(losses, keepsOrder),
  };
}
