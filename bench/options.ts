import { existsSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { isContestantName, SCENARIOS, scenariosOf } from "./scenarios/index.js";
import type { Scenario } from "./scenarios/scenario.js";
import { PEER_NAMES } from "./transports/index.js";

export interface BenchOptions {
  readonly scenarios: readonly Scenario[];
  /** One run for each. */
  readonly parentDirs: readonly string[];
  readonly rounds: number | undefined;
  readonly only: readonly string[] | undefined;
  /** Losses are checked, and times are not worth keeping. */
  readonly isQuick: boolean;
  readonly asJson: boolean;
}

export const USAGE = `usage: npm run bench -- SCENARIO... [options]

  all             every scenario; or a family of them, or one:
${familyLines().join("\n")}

  --dir DIR       where the files go; repeated, one run for each (${tmpdir()})
  --rounds N      rounds of every contestant, interleaved (7), but for backlog, idle and command, which have their own number
  --only NAMES    some of ${PEER_NAMES.join(",")}
  --quick         short runs, side by side, that only check that nothing is lost
  --json          print what goes into bench/results/ instead of tables`;

/** @throws Error or TypeError for what cannot be, fit to be shown to whoever typed it */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      dir: { type: "string", multiple: true, default: [tmpdir()] },
      rounds: { type: "string" },
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const only = values.only?.split(",");
  const unknown = only?.find((name) => !isContestantName(name));
  if (unknown !== undefined) throw new TypeError(`--only ${unknown}: there is ${PEER_NAMES.join(", ")}`);
  return {
    scenarios: scenariosOf(positionals),
    parentDirs: values.dir.map(directoryOf),
    rounds: values.rounds === undefined ? undefined : positive("--rounds", values.rounds),
    only,
    isQuick: values.quick,
    asJson: values.json,
  };
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new TypeError(`${option} ${text}: not a whole number above 0`);
  return value;
}

function directoryOf(dir: string): string {
  if (!existsSync(dir)) throw new TypeError(`--dir ${dir}: there is no such directory`);
  return realpathSync(dir);
}

function familyLines(): string[] {
  return [...new Set(SCENARIOS.map(({ family }) => family))].map((family) => {
    const ids = SCENARIOS.filter((scenario) => scenario.family === family).map(({ id }) => id);
    return `  ${family.padEnd(15)} ${ids.join(", ")}`;
  });
}
