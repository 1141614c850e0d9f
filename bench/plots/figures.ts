import type { Drawing } from "./adaptive-svg.js";
import { backlog } from "./figures/backlog.js";
import { fanOut } from "./figures/fan-out.js";
import { latencyCurves } from "./figures/latency-curves.js";
import { transportBars, type Ranking } from "./figures/transport-bars.js";
import type { ResultRecord } from "./result-record.js";

export interface Figure {
  /** Of its file, before the filesystem. */
  readonly name: string;
  readonly scenarios: readonly string[];
  /** @returns undefined when the records hold none of its numbers */
  readonly draw: (records: readonly ResultRecord[]) => Drawing | undefined;
}

/** Everything that can be drawn. */
export const FIGURES: readonly Figure[] = [
  { name: "latency-500", scenarios: ["latency-500"], draw: latencyCurves },
  { name: "latency-5000", scenarios: ["latency-5000"], draw: latencyCurves },
  rates("throughput", "Throughput, pipelined: as fast as messages are accepted"),
  rates("awaited", "Awaited: each publish waits until the one before is accepted"),
  rates("durable-64", "Durable on disk, 64 in flight"),
  { name: "fan-out", scenarios: ["fan-out-1", "fan-out-8", "fan-out-64"], draw: fanOut },
  { name: "backlog", scenarios: ["backlog-0", "backlog-100k", "backlog-1m"], draw: backlog },
  ranking("request", {
    title: "Request and reply, one after the other",
    metric: "p50Us",
    axisName: "round trip, median, µs",
    best: "lowest",
  }),
];

function rates(scenario: string, title: string): Figure {
  return ranking(scenario, { title, metric: "messagesPerSecond", axisName: "messages a second", best: "highest" });
}

function ranking(scenario: string, how: Ranking): Figure {
  return { name: scenario, scenarios: [scenario], draw: (records) => transportBars(records, how) };
}
