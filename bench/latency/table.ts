import type { Comparison } from "./bars.js";
import type { LatencyConfiguration, LatencyResult } from "./measure.js";
import type { RunFacts } from "../report/results-file.js";
import { spreadOf, type Distribution, type Spread } from "../report/statistics.js";

/** The result for a person: numbers with what they were measured on, then the ratios, which are what counts. */
export function latencyTable(
  facts: RunFacts<LatencyConfiguration>,
  results: readonly LatencyResult[],
  comparisons: readonly Comparison[],
): string {
  const { machine, configuration } = facts;
  const rows = [
    ["µs, median of rounds (lowest–highest)", "p50", "p90", "p99", "max", "lost", "reordered", "repeated"],
    ...results.map(rowOf),
  ];
  return [
    `one-way latency: ${configuration.perSecond}/s, envelopes of ${configuration.envelopeBytes} bytes, 1 publisher, 1 subscriber, ` +
      `${configuration.rounds} interleaved rounds of ${configuration.count} after ${configuration.warmUp} to warm up`,
    `${facts.filesystem} (${facts.parentDir}), ${machine.processor}, ${machine.cores} cores, ${machine.kernel}, ` +
      `Node ${machine.node}, commit ${machine.commit ?? "unknown"}, load before ${machine.loadBefore.toFixed(2)}`,
    "",
    ...columns(rows),
    "",
    ...results.map(({ transport, description }) => `${transport}: ${description}`),
    "",
    ...comparisons.map(sentenceOf),
  ].join("\n");
}

function rowOf({ transport, rounds, losses, isClean }: LatencyResult): string[] {
  const cell = (of: (round: Distribution) => number) => microseconds(spreadOf(rounds.map(of)));
  const counts = [losses.lost, losses.reordered, losses.repeated].map(String);
  const name = isClean ? transport : `${transport} FAILED`;
  return [
    name,
    cell(({ p50 }) => p50),
    cell(({ p90 }) => p90),
    cell(({ p99 }) => p99),
    cell(({ max }) => max),
    ...counts,
  ];
}

function microseconds({ median, lowest, highest }: Spread): string {
  return `${median.toFixed(0)} (${lowest.toFixed(0)}–${highest.toFixed(0)})`;
}

function sentenceOf({ peer, p50, atMost, isReached }: Comparison): string {
  const { median, lowest, highest } = p50;
  const ratio = `${median.toFixed(2)} (${lowest.toFixed(2)}–${highest.toFixed(2)})`;
  return `p50 of spool / ${peer}: ${ratio}, ${isReached ? "within" : "ABOVE"} the bar of ${atMost}`;
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  "),
  );
}
