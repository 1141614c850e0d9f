import { LATENCY_USAGE, parseLatencyOptions } from "./latency/options.js";
import { runLatency } from "./latency/run.js";
import { Leftovers } from "./leftovers.js";

/** What can be measured: each takes its options from the words after its name, and returns the run. */
const SCENARIOS: Readonly<Record<string, (args: readonly string[]) => (leftovers: Leftovers) => Promise<boolean>>> = {
  latency: (args) => {
    const options = parseLatencyOptions(args);
    return (leftovers) => runLatency(options, leftovers);
  },
};

const USAGE = `usage: npm run bench -- SCENARIO [options]

  ${LATENCY_USAGE}`;

process.exitCode = await main(process.argv.slice(2));

/** @returns 0: measured; 1: something was lost; 2: usage. What breaks the bench itself is thrown, after clearing up. */
async function main([scenario = "", ...args]: readonly string[]): Promise<number> {
  let run: (leftovers: Leftovers) => Promise<boolean>;
  try {
    const prepare = SCENARIOS[scenario];
    if (prepare === undefined) throw new TypeError(`there is no scenario "${scenario}"`);
    run = prepare(args);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  const leftovers = new Leftovers();
  leftovers.clearOnSignals();
  try {
    return (await run(leftovers)) ? 0 : 1;
  } finally {
    leftovers.clear();
  }
}
