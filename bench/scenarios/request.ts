import { runRequests } from "../rounds/request.js";
import { COMPILED_AFTER, LATENCY_COLUMNS } from "./latency.js";
import type { Configuration, Scenario } from "./scenario.js";
import { latencyMetrics, transportContestants, type TransportRound } from "./transport-round.js";

const ROUND_TRIP: TransportRound = {
  takesPart: (transport) => "request" in transport,
  measure: async (assignment, { leftovers }) => {
    const { latenciesNs, losses } = await runRequests(assignment, leftovers);
    return { metrics: latencyMetrics(latenciesNs), latenciesNs, losses };
  },
};

/** From a question to its answer, in the process that asks. */
export const REQUEST_SCENARIOS: readonly Scenario[] = [
  roundTrip("request", "one after the other", { perSecond: null, count: 3_000, warmUp: COMPILED_AFTER }),
  roundTrip("request-500", "500/s", { perSecond: 500, count: 1_000, warmUp: COMPILED_AFTER }),
];

function roundTrip(id: string, pace: string, size: Pick<Configuration, "perSecond" | "count" | "warmUp">): Scenario {
  const common = { ...size, bytes: 512, window: size.perSecond === null ? 1 : null, subscribers: 1 };
  return {
    id,
    family: "request",
    isVariant: size.perSecond !== null,
    title: `request and reply, round trip, 512 B each way, ${pace}`,
    columns: LATENCY_COLUMNS,
    full: { ...common, rounds: 7 },
    quick: { ...common, rounds: 1, count: 100, warmUp: 20 },
    contestants: (only) => transportContestants(ROUND_TRIP, only),
  };
}
