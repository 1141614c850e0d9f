import type { painterFor } from "../colour.js";
import { printable } from "../printable.js";
import { formatTable } from "../table.js";
import type { Distribution } from "./distribution.js";
import { drawHistogram } from "./histogram.js";
import type { Machine } from "./machine.js";
import type { Measurements } from "./measure.js";
import type { Plan } from "./plan.js";
import type { Transport } from "./receivers.js";
import { isClean, type Check } from "./serial-check.js";

/** A run, as --json prints it. */
export interface BenchResult extends Measurements {
  readonly machine: Machine;
  /** That the throwaway spool was made in. */
  readonly dir: string;
  readonly configuration: Plan;
  /** Spool to socket. */
  readonly ratio: { readonly p50: number; readonly p90: number; readonly p99: number };
  /** False when a message was lost, repeated or reordered: then no number is worth anything. */
  readonly isClean: boolean;
}

export function resultOf(machine: Machine, dir: string, configuration: Plan, measured: Measurements): BenchResult {
  const { spool, socket } = measured.latency;
  const ratio = {
    p50: ratioOf(spool.p50Us, socket.p50Us),
    p90: ratioOf(spool.p90Us, socket.p90Us),
    p99: ratioOf(spool.p99Us, socket.p99Us),
  };
  return { machine, dir, configuration, ...measured, ratio, isClean: Object.values(measured.check).every(isClean) };
}

const BAR_WIDTH = 48;

/** A run, for people. */
export function reportLines(
  result: BenchResult,
  paint: ReturnType<typeof painterFor>,
  hasBlocks: boolean,
): readonly string[] {
  const { machine, dir, configuration, latency, ratio, throughput, awaited, request, check } = result;
  const { perSecond, envelopeBytes, rounds, messagesPerRound, window } = configuration;
  const { processor, cores, kernel, filesystem, node, agentbus, loadBefore } = machine;
  const micro = hasBlocks ? "µs" : "us";
  return [
    `${processor}, ${cores} cores, load ${loadBefore}, ${kernel}, Node ${node}, agentbus ${agentbus}`,
    `${filesystem} (${printable(dir)})`,
    "",
    `One way from process to process, ${perSecond}/s of ${envelopeBytes} bytes, durable subscription, in ${micro}:`,
    "",
    ...drawHistogram(latency.spool.histogram, BAR_WIDTH, hasBlocks).map((line) => paint("cyan", line)),
    "",
    ...formatTable(
      [`${rounds} x ${messagesPerRound}`, "p50", "p90", "p99", "max"],
      [
        ["spool", ...cellsOf(latency.spool)],
        ["Unix socket", ...cellsOf(latency.socket)],
        ["ratio", ratio.p50, ratio.p90, ratio.p99, "-"],
      ],
    ),
    "",
    ...formatTable(
      ["", "a second", "p50", "p99"],
      [
        ["publishes, each awaited", awaited.perSecond, Math.round(awaited.p50Us), Math.round(awaited.p99Us)],
        ["requests, each answered", request.perSecond, Math.round(request.p50Us), Math.round(request.p99Us)],
        [`publishes, ${window} at once, until handled`, throughput.perSecond, "-", "-"],
      ],
    ),
    "",
    ...verdictLines(check).map((line) => (result.isClean ? line : paint("red", line))),
  ];
}

/** One for each transport that is not clean, or one that all is well. */
function verdictLines(check: Readonly<Record<Transport, Check>>): string[] {
  const unclean = Object.entries(check).filter(([, each]) => !isClean(each));
  const shown = unclean.length > 0 ? unclean : [["spool", check.spool] as const];
  return shown.map(
    ([transport, { sent, lost, repeated, reordered }]) =>
      `${transport}: lost ${lost}, repeated ${repeated}, reordered ${reordered}, of ${sent} messages`,
  );
}

function cellsOf({ p50Us, p90Us, p99Us, maxUs }: Distribution): number[] {
  return [p50Us, p90Us, p99Us, maxUs].map(Math.round);
}

function ratioOf(a: number, b: number): number {
  return Math.round((a / b) * 100) / 100;
}
