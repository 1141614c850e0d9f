import { runOneWay, type OneWay } from "../rounds/one-way.js";
import type { Assignment } from "../ends/assignment.js";
import type { Configuration, Scenario } from "./scenario.js";
import { transportContestants, type TransportRound } from "./transport-round.js";

const COLUMNS = ["messagesPerSecond", "acceptedPerSecond", "publisherWallUs", "publisherCpuUs"];

/** A pilot of a second or two tells how many messages a round takes. */
const ROUND_MS = 1_500;
const QUICK = Object.freeze({ rounds: 1, count: 500, warmUp: 100 });
const PILOT = Object.freeze({ count: 2_000, warmUp: 2_000 });

/** As fast as messages are accepted, to the last arrival. */
export const THROUGHPUT: Scenario = {
  id: "throughput",
  family: "throughput",
  title:
    "pipelined throughput, 512 B, up to 1,024 not accepted yet, every message acknowledged where there is such a thing, 1 subscriber",
  columns: COLUMNS,
  roundMs: ROUND_MS,
  ...sized({ window: 1_024, subscribers: 1 }),
  contestants: (only) =>
    transportContestants(
      asFastAs(() => true),
      only,
    ),
};

/** Each publish waits for the one before. */
export const AWAITED: Scenario = {
  id: "awaited",
  family: "awaited",
  title: "awaited publishes one by one, 512 B, 1 subscriber",
  columns: COLUMNS,
  roundMs: ROUND_MS,
  ...sized({ window: 1, subscribers: 1 }),
  contestants: (only) =>
    transportContestants(
      asFastAs(({ acknowledges }) => acknowledges),
      only,
    ),
};

/** Accepted means that a power cut does not undo it. */
export const DURABLE: Scenario = {
  id: "durable-64",
  family: "durable",
  title: "durable on disk before it is accepted, 512 B, up to 64 not accepted yet, 1 subscriber",
  columns: COLUMNS,
  roundMs: ROUND_MS,
  ...sized({ window: 64, subscribers: 1 }),
  contestants: (only) => transportContestants({ ...asFastAs(({ reachesDisk }) => reachesDisk), isDurable: true }, only),
};

/** One message to many subscriptions: what it costs its publisher, and how many arrive. */
export const FAN_OUT_SCENARIOS: readonly Scenario[] = [1, 8, 64].map((subscribers) => ({
  id: `fan-out-${subscribers}`,
  family: "fan-out",
  isVariant: subscribers < 64,
  title: `fan-out to ${subscribers} subscription${subscribers === 1 ? "" : "s"} in one process, each with a connection of its own, 512 B, up to 1,024 not accepted yet; messages are counted where they arrive`,
  columns: COLUMNS,
  roundMs: ROUND_MS,
  ...sized({ window: 1_024, subscribers }),
  contestants: (only) =>
    transportContestants(
      asFastAs(({ fansOut }) => fansOut),
      only,
    ),
}));

function sized(common: Pick<Configuration, "window" | "subscribers">): Pick<Scenario, "full" | "quick"> {
  const both = { ...common, bytes: 512, perSecond: null };
  return { full: { ...both, ...PILOT, rounds: 7 }, quick: { ...both, ...QUICK } };
}

function asFastAs(takesPart: TransportRound["takesPart"]): TransportRound {
  return {
    takesPart,
    measure: async (assignment, { leftovers }) => {
      const result = await runOneWay(assignment, leftovers);
      return { metrics: ratesOf(assignment, result), losses: result.losses };
    },
  };
}

/**
 * Arrivals of all subscriptions count together, from the first send to the last arrival. What a message costs its publisher is
 * told by the wall and by its processor time; the latter is what says something where ends compete for few processors.
 */
function ratesOf({ count, subscribers }: Assignment, result: OneWay): Record<string, number> {
  const { firstSentNs, lastAcceptedNs, lastArrivedNs, cpuUs } = result;
  const acceptedUs = (lastAcceptedNs - firstSentNs) / 1e3;
  return {
    messagesPerSecond: (count * subscribers * 1e9) / (lastArrivedNs - firstSentNs),
    acceptedPerSecond: (count * 1e6) / acceptedUs,
    publisherWallUs: acceptedUs / count,
    publisherCpuUs: cpuUs / count,
  };
}
