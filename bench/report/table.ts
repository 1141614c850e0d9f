import type { Missing } from "../contest/contest.js";
import type { Result } from "../contest/lane.js";
import type { BarOutcome } from "./bars.js";
import { valuesOf } from "./bars.js";
import { markdownTable, shortNumber } from "./columns.js";
import type { RunFacts } from "./results-file.js";
import { ratioOf, spreadOf, type Spread } from "./statistics.js";

/** What a metric is called in a table; "a / b" where the spool is compared. */
const LABELS: Readonly<Record<string, string>> = {
  p50Us: "p50 µs",
  p90Us: "p90 µs",
  p99Us: "p99 µs",
  maxUs: "max µs",
  messagesPerSecond: "messages/s",
  acceptedPerSecond: "accepted/s",
  publisherWallUs: "wall µs/publish",
  publisherCpuUs: "CPU µs/publish",
  firstMessageMs: "first message ms",
  peakRssMiB: "peak RSS MiB",
  consumedPerSecond: "consumed/s",
  neighbourP50Us: "neighbour p50 µs",
  aloneP50Us: "alone p50 µs",
  neighbourRatio: "neighbour / alone",
  cpuPercent: "CPU %",
  wakeUpsPerSecond: "wake-ups/s",
  publisherWakeUpsPerSecond: "publisher's",
  subscriberWakeUpsPerSecond: "subscriber's",
  wallMs: "wall ms",
};

/** One scenario for a person: the numbers with what they were measured on, and the spool's ratio to each of the others. */
export function scenarioTable(facts: RunFacts, results: readonly Result[], missing: readonly Missing[]): string {
  const { columns = [], title = "" } = results[0]?.scenario ?? missing[0]?.scenario ?? {};
  const spool = results.find(({ transport, isClean }) => transport === "spool" && isClean);
  const [first = ""] = columns;
  const rows = [
    [
      "",
      "accepted survives",
      ...columns.map(labelOf),
      `spool's ${labelOf(first)} / it`,
      "lost",
      "reordered",
      "repeated",
    ],
    ...results.map((result) => [
      nameOf(result),
      result.configuration.durability,
      ...columns.map((metric) => spreadText(spreadOf(valuesOf(result, metric)))),
      spool === undefined || result === spool
        ? ""
        : spreadText(ratioOf(valuesOf(spool, first), valuesOf(result, first))),
      ...[result.losses.lost, result.losses.reordered, result.losses.repeated].map(String),
    ]),
  ];
  return [
    `### ${facts.scenario}: ${title}`,
    "",
    "Median of the rounds (lowest–highest). " + surroundings(facts),
    "",
    ...(results.length === 0 ? [] : [markdownTable(rows), ""]),
    ...results.map((result) => `- ${explanation(result)}`),
    ...missing.map(({ transport, command }) => `- ${transport} is missing: \`${command}\``),
  ].join("\n");
}

export function barsTable(bars: readonly BarOutcome[]): string {
  const rows = bars.map(({ scenario, of = "spool", metric, peer, atMost, atLeast, measured, isReached, note }) => [
    scenario,
    of,
    labelOf(metric) + (peer === undefined ? "" : ` / ${peer.transport}${peer.scenario ? ` in ${peer.scenario}` : ""}`),
    atMost === undefined ? `≥ ${atLeast}` : `≤ ${atMost}`,
    measured === undefined ? "" : spreadText(measured),
    isReached === undefined ? "not measured" : isReached ? "reached" : "MISSED",
    note ?? "",
  ]);
  return markdownTable([["bar", "of", "its", "limit", "measured (lowest–highest)", "", ""], ...rows]);
}

function nameOf({ transport, isClean, failure }: Result): string {
  if (failure !== undefined) return `${transport} FAILED`;
  return isClean ? transport : `${transport} LOSSES`;
}

function explanation({ transport, description, configuration, failure }: Result): string {
  const { rounds, count, warmUp, turns, note } = configuration;
  const pieces = turns === undefined ? "" : ` in ${turns} turns`;
  const size = `${rounds} × ${count.toLocaleString("en")} messages${pieces}, after ${warmUp.toLocaleString("en")} to warm up`;
  return [`${transport}: ${description}; ${size}`, note, failure && `it failed: ${failure}`].filter(Boolean).join("; ");
}

function surroundings({ machine, filesystem, parentDir }: RunFacts): string {
  return (
    `${filesystem} (${parentDir}), ${machine.processor}, ${machine.cores} cores, ${machine.kernel}, ` +
    `Node ${machine.node}, commit ${machine.commit ?? "unknown"}, load before ${machine.loadBefore.toFixed(2)}.`
  );
}

function labelOf(metric: string): string {
  return LABELS[metric] ?? metric;
}

function spreadText({ median, lowest, highest }: Spread): string {
  if (Number.isNaN(median)) return "";
  if (lowest === highest) return shortNumber(median);
  return `${shortNumber(median)} (${shortNumber(lowest)}–${shortNumber(highest)})`;
}
