import type { Losses } from "../ends/serials.js";
import type { Machine } from "../report/machine.js";
import { spreadOf, type Spread } from "../report/statistics.js";

/** What a figure can show of a round; units are in the names. */
export type Metric = "p50Us" | "messagesPerSecond" | "publisherCpuUs" | "firstMessageMs" | "peakRssMiB";

/** One line of a results file: a transport in a scenario, on one filesystem. Only what figures read is listed. */
export interface ResultRecord {
  readonly scenario: string;
  /** RFC 3339; names the run: what has it in common was measured in interleaved rounds. */
  readonly startedAt: string;
  readonly machine: Machine;
  readonly filesystem: string;
  readonly configuration: {
    readonly bytes: number;
    readonly perSecond?: number | null;
    /** Messages that may be on their way to being accepted; null where there is no limit. */
    readonly window?: number | null;
    /** What is sure once a message is accepted. */
    readonly durability: string;
    /** What a reader of the numbers has to know besides. */
    readonly note?: string;
    readonly subscribers: number;
    readonly rounds: number;
    /** Measured messages in each round; of a backlog, those that wait. */
    readonly count: number;
  };
  readonly transport: string;
  readonly description: string;
  readonly rounds: readonly Partial<Readonly<Record<Metric, number>>>[];
  /** Percentile and microseconds, over all rounds together. */
  readonly curve?: readonly (readonly [percentile: number, us: number])[];
  readonly losses: Losses;
  /** False when the transport broke one of its promises. */
  readonly isClean: boolean;
  /** Why there are fewer rounds than planned. */
  readonly failure?: string;
}

const REQUIRED = ["startedAt", "machine", "filesystem", "configuration", "transport", "rounds", "losses"] as const;

/**
 * Reads NDJSON. Lines about a bar or a missing peer are not results, and are passed over.
 *
 * @param name of the file, for errors
 * @throws Error for a line that is neither
 */
export function parseResults(text: string, name: string): ResultRecord[] {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const record = parseLine(line, `${name}:${index + 1}`);
    return "missing" in record || "bar" in record ? [] : [complete(record, `${name}:${index + 1}`)];
  });
}

/** The metric over the rounds; undefined when it was not measured. */
export function spreadIn({ rounds }: ResultRecord, metric: Metric): Spread | undefined {
  const values = rounds.flatMap((round) => round[metric] ?? []);
  return values.length === 0 ? undefined : spreadOf(values);
}

function parseLine(line: string, place: string): object {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // Said below, with the place.
  }
  throw notAResult(place, "the line is not a JSON object");
}

function complete(record: object, place: string): ResultRecord {
  const absent = REQUIRED.filter((field) => !(field in record));
  if (absent.length > 0) throw notAResult(place, `it has no ${absent.join(", ")}`);
  return record as ResultRecord;
}

function notAResult(place: string, why: string): Error {
  return new Error(`cannot plot ${place}: ${why}; give files that npm run bench left in bench/results/`);
}
