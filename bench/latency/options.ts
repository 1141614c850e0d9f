import { existsSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { TRANSPORT_NAMES, type TransportName } from "../transports/index.js";

export interface LatencyOptions {
  readonly perSecond: number;
  /** Messages that are measured in each round. */
  readonly count: number;
  readonly warmUp: number;
  readonly rounds: number;
  readonly envelopeBytes: number;
  readonly transports: readonly TransportName[];
  /** One run for each. */
  readonly parentDirs: readonly string[];
  /** Losses are checked, and times are not worth keeping. */
  readonly isQuick: boolean;
  readonly asJson: boolean;
}

export const LATENCY_USAGE = `latency [options]
    --rate N        messages a second (500)
    --count N       measured messages in each round (1000)
    --warm-up N     messages before them, twice as fast (3000)
    --rounds N      rounds of every transport, interleaved (7)
    --size BYTES    of an envelope (512)
    --dir DIR       where the files go; repeated, one run for each (${tmpdir()})
    --only NAMES    some of ${TRANSPORT_NAMES.join(",")}
    --quick         a short run that only checks for losses
    --json          print what goes into bench/results/ instead of a table`;

const FULL = Object.freeze({ count: 1_000, warmUp: 3_000, rounds: 7 });
const QUICK = Object.freeze({ count: 300, warmUp: 100, rounds: 1 });

/** @throws Error or TypeError for what cannot be, fit to be shown to whoever typed it */
export function parseLatencyOptions(args: readonly string[]): LatencyOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rate: { type: "string", default: "500" },
      count: { type: "string" },
      "warm-up": { type: "string" },
      rounds: { type: "string" },
      size: { type: "string", default: "512" },
      dir: { type: "string", multiple: true, default: [tmpdir()] },
      only: { type: "string", default: TRANSPORT_NAMES.join(",") },
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const usual = values.quick ? QUICK : FULL;
  return {
    perSecond: positive("--rate", values.rate),
    count: positive("--count", values.count ?? `${usual.count}`),
    warmUp: positive("--warm-up", values["warm-up"] ?? `${usual.warmUp}`),
    rounds: positive("--rounds", values.rounds ?? `${usual.rounds}`),
    envelopeBytes: positive("--size", values.size),
    transports: values.only.split(",").map(transportOf),
    parentDirs: values.dir.map(directoryOf),
    isQuick: values.quick,
    asJson: values.json,
  };
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new TypeError(`${option} ${text}: not a whole number above 0`);
  return value;
}

function transportOf(name: string): TransportName {
  const known = TRANSPORT_NAMES.find((other) => other === name);
  if (known === undefined) throw new TypeError(`--only ${name}: there is ${TRANSPORT_NAMES.join(", ")}`);
  return known;
}

function directoryOf(dir: string): string {
  if (!existsSync(dir)) throw new TypeError(`--dir ${dir}: there is no such directory`);
  return realpathSync(dir);
}
