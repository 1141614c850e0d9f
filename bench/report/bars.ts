import type { Outcome } from "../contest/contest.js";
import type { Result } from "../contest/lane.js";
import { ratioOf, spreadOf, type Spread } from "./statistics.js";

/** What agentbus has to reach, alone or beside somebody else of the same run. */
export interface Bar {
  readonly scenario: string;
  /** Which of its transports. @default "spool" */
  readonly of?: string;
  readonly metric: string;
  /** Whose metric it is divided by, round by round. Without: the metric itself. */
  readonly peer?: { readonly transport: string; readonly scenario?: string };
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** prettier-ignore keeps it one line for each, as the table that it is. */
// prettier-ignore
const BARS: readonly Bar[] = [
  { scenario: "latency-500", metric: "p50Us", peer: { transport: "raw-socket" }, atMost: 1.2 },
  { scenario: "latency-500", metric: "p50Us", peer: { transport: "redis-pubsub" }, atMost: 0.5 },
  { scenario: "latency-500", metric: "p99Us", peer: { transport: "redis-pubsub" }, atMost: 1 },
  { scenario: "latency-500", metric: "p50Us", peer: { transport: "naive-spool" }, atMost: 0.5 },
  { scenario: "throughput", metric: "messagesPerSecond", peer: { transport: "nats-core" }, atLeast: 1 },
  { scenario: "throughput", metric: "messagesPerSecond", peer: { transport: "jetstream" }, atLeast: 5 },
  { scenario: "awaited", metric: "acceptedPerSecond", peer: { transport: "jetstream" }, atLeast: 2 },
  { scenario: "latency-500", of: "pipe", metric: "p50Us", peer: { transport: "raw-socket" }, atMost: 1.2 },
  { scenario: "throughput", of: "pipe", metric: "messagesPerSecond", peer: { transport: "spool", scenario: "awaited" }, atLeast: 2 },
  // Its processor time: the wall tells how many subscribers wanted the same processors.
  { scenario: "fan-out-8", metric: "publisherCpuUs", peer: { transport: "spool", scenario: "fan-out-1" }, atMost: 3 },
  { scenario: "fan-out-8", metric: "messagesPerSecond", peer: { transport: "redis-pubsub" }, atLeast: 1 },
  { scenario: "request", metric: "p50Us", peer: { transport: "nats-core" }, atMost: 0.6 },
  { scenario: "request", of: "socket", metric: "p50Us", peer: { transport: "raw-socket" }, atMost: 1.3 },
  { scenario: "request", of: "socket", metric: "p50Us", peer: { transport: "nats-core" }, atMost: 0.5 },
  { scenario: "durable-64", metric: "messagesPerSecond", peer: { transport: "jetstream" }, atLeast: 1 },
  { scenario: "backlog-1m", metric: "firstMessageMs", atMost: 3_000 },
  { scenario: "backlog-1m", metric: "peakRssMiB", atMost: 300 },
  // What a pair of medians of the same thing differs by anyway.
  { scenario: "backlog-1m", metric: "neighbourRatio", atMost: 1.15 },
  { scenario: "idle", metric: "cpuPercent", atMost: 0.1 },
  { scenario: "idle", metric: "wakeUpsPerSecond", atMost: 1 },
  { scenario: "command", metric: "wallMs", peer: { transport: "node-nothing" }, atMost: 1.6 },
];

export interface BarOutcome extends Bar {
  /** The ratio, or the metric; undefined where it could not be measured. */
  readonly measured: Spread | undefined;
  readonly isReached: boolean | undefined;
  /** Why it could not be measured, or what is to be said of the peer. */
  readonly note?: string | undefined;
}

/** The bars of the scenarios that were run. The median decides, the spread says how far to trust it. */
export function barsReached({ results, missing }: Outcome): BarOutcome[] {
  const run = new Set(results.map(({ scenario }) => scenario.id));
  return BARS.filter(({ scenario }) => run.has(scenario)).map((bar): BarOutcome => {
    const find = (transport: string, scenario = bar.scenario) =>
      results.find((result) => result.transport === transport && result.scenario.id === scenario);
    const { of = "spool" } = bar;
    const ours = find(of);
    const peer = bar.peer && find(bar.peer.transport, bar.peer.scenario);
    const why = whyNot(of, ours) ?? (bar.peer && whyNot(bar.peer.transport, peer));
    const isMissing = missing.some(
      ({ transport, scenario }) => transport === bar.peer?.transport && scenario.id === bar.scenario,
    );
    if (ours === undefined || why !== undefined) {
      return {
        ...bar,
        measured: undefined,
        isReached: undefined,
        note: isMissing ? `${bar.peer?.transport} is missing` : why,
      };
    }
    const own = valuesOf(ours, bar.metric);
    const measured = peer === undefined ? spreadOf(own) : ratioOf(own, valuesOf(peer, bar.metric));
    const { median } = measured;
    const isReached = median <= (bar.atMost ?? Infinity) && median >= (bar.atLeast ?? -Infinity);
    return { ...bar, measured, isReached, note: peer?.configuration.note };
  });
}

export function valuesOf({ rounds }: Result, metric: string): number[] {
  return rounds.map((round) => round[metric] ?? NaN);
}

function whyNot(name: string, result: Result | undefined): string | undefined {
  if (result === undefined) return `${name} did not take part`;
  if (result.failure !== undefined) return `${name} failed`;
  return result.isClean ? undefined : `${name} lost or repeated messages`;
}
