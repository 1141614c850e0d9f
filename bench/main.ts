import { Leftovers } from "./leftovers.js";
import { parseOptions, USAGE, type BenchOptions } from "./options.js";
import { runBench } from "./run.js";

process.exitCode = await main(process.argv.slice(2));

/** @returns 0: measured; 1: something was lost; 2: usage. What breaks the bench itself is thrown, after clearing up. */
async function main(args: readonly string[]): Promise<number> {
  if (args.length === 0 || args.includes("--help") || args.includes("-h")) {
    console.log(USAGE);
    return 0;
  }
  let options: BenchOptions;
  try {
    options = parseOptions(args);
    if (options.scenarios.length === 0) throw new TypeError("no scenario is named");
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  const leftovers = new Leftovers();
  leftovers.clearOnSignals();
  try {
    return (await runBench(options, leftovers)) ? 0 : 1;
  } finally {
    leftovers.clear();
  }
}
