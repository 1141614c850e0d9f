import { OneWayEnds, runOneWay } from "../rounds/one-way.js";
import { floorContestants } from "../floor/contestants.js";
import type { Configuration, Scenario } from "./scenario.js";
import { latencyMetrics, transportContestants, type TransportRound } from "./transport-round.js";

export const LATENCY_COLUMNS = ["p50Us", "p90Us", "p99Us", "maxUs"];

/** From just before a publish to the first statement of the handler, in another process. */
const ONE_WAY: TransportRound = {
  takesPart: () => true,
  measure: async (assignment, { leftovers }) => {
    const { latenciesNs, losses } = await runOneWay(assignment, leftovers);
    return { metrics: latencyMetrics(latenciesNs), latenciesNs, losses };
  },
  begin: async (assignment, { leftovers }, { count, turns = 1, leadIn = 0 }) => {
    const ends = new OneWayEnds(assignment, leftovers);
    const perTurn = count / turns;
    try {
      await ends.warmUp();
    } catch (error) {
      await ends.kill();
      throw error;
    }
    return {
      turn: () => ends.turn(leadIn + perTurn),
      result: async () => {
        const { latenciesNs, losses } = await ends.finish();
        const measured = latenciesNs.filter((_, message) => message % (leadIn + perTurn) >= leadIn);
        return { metrics: latencyMetrics(measured), latenciesNs: measured, losses };
      },
      stop: () => ends.kill(),
    };
  },
};

interface Pace {
  readonly bytes: number;
  readonly size: string;
  readonly perSecond: number;
  readonly count: number;
  readonly warmUp: number;
  readonly turns?: number;
  readonly quickCount: number;
  readonly isVariant?: boolean;
  /** For the title. */
  readonly of?: string;
}

/**
 * After so many messages V8 has compiled what it will. Before, it does that beside the messages, and where two processors are all
 * there are, each time takes one of them from a message for one to five milliseconds: of every hundred messages, about one.
 */
export const COMPILED_AFTER = 15_000;

/** Both ends are connected, and no more. */
const FRESH_AFTER = 20;

/** What was at rest while others had their turns wakes up: a stream is opened anew, timers run. */
const LEAD_IN = 20;

/** Single messages at a pace that nobody is full at. */
export const LATENCY_SCENARIOS: readonly Scenario[] = [
  latency("latency-500", {
    bytes: 512,
    size: "512 B",
    perSecond: 500,
    count: 1_000,
    warmUp: COMPILED_AFTER,
    turns: 10,
    quickCount: 100,
  }),
  latency("latency-fresh", {
    bytes: 512,
    size: "512 B",
    perSecond: 500,
    count: 1_000,
    warmUp: FRESH_AFTER,
    quickCount: 50,
    isVariant: true,
    of: "of processes that have just begun, ",
  }),
  latency("latency-5000", {
    ...{ bytes: 512, size: "512 B", perSecond: 5_000, count: 10_000, warmUp: COMPILED_AFTER },
    quickCount: 1_000,
    isVariant: true,
  }),
  latency("latency-1k", {
    bytes: 1_024,
    size: "1 KB",
    perSecond: 500,
    count: 1_000,
    warmUp: COMPILED_AFTER,
    quickCount: 50,
    isVariant: true,
  }),
  latency("latency-64k", {
    bytes: 65_536,
    size: "64 KB",
    perSecond: 200,
    count: 400,
    warmUp: 600,
    quickCount: 20,
    isVariant: true,
  }),
  latency("latency-1m", { bytes: 1_048_576, size: "1 MB", perSecond: 20, count: 60, warmUp: 60, quickCount: 5 }),
];

function latency(
  id: string,
  { bytes, size, perSecond, count, warmUp, turns, quickCount, isVariant = false, of = "" }: Pace,
): Scenario {
  const common = { bytes, perSecond, window: null, subscribers: 1 };
  return {
    id,
    family: "latency",
    title: `one-way latency, ${of}${size}, ${perSecond.toLocaleString("en")}/s, 1 publisher, 1 subscriber`,
    columns: LATENCY_COLUMNS,
    isVariant,
    full: { ...common, rounds: 7, count, warmUp, ...inTurns(turns), rests: turns !== undefined },
    quick: { ...common, rounds: 1, count: quickCount, warmUp: Math.ceil(quickCount / 5), ...inTurns(turns && 2) },
    contestants: async (only) => {
      const transports = await transportContestants(ONE_WAY, only);
      return bytes === 512 ? [...transports, ...floorContestants(only)] : transports;
    },
  };
}

function inTurns(turns: number | undefined): Pick<Configuration, "turns" | "leadIn"> {
  return turns === undefined ? {} : { turns, leadIn: LEAD_IN };
}
