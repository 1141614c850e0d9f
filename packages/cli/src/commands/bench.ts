import { dirname } from "node:path";
import { Option, type Command } from "commander";
import type { Interrupted } from "../failure.js";
import { canDrawBlocks } from "../bench/histogram.js";
import { runEnd } from "../bench/end.js";
import { Leftovers } from "../bench/leftovers.js";
import { describeMachine } from "../bench/machine.js";
import { makePlace } from "../bench/place.js";
import { planFor } from "../bench/plan.js";
import { TRANSPORTS, type Transport } from "../bench/receivers.js";
import { reportLines, resultOf, type BenchResult } from "../bench/report.js";
import { runBench } from "../bench/run.js";
import { painterFor } from "../colour.js";
import { Interruption } from "../interruption.js";
import { printLine } from "../output.js";
import { toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { parseWhole } from "../values.js";
import { say } from "../words.js";

interface BenchCommandOptions extends GlobalOptions {
  readonly seconds?: number;
  readonly dir?: string;
  readonly end?: Transport;
}

const DEFAULT_SECONDS = 10;

const EXAMPLES = `
Measures between two processes, in a throwaway spool beside yours, which it does
not touch: how long a message takes, next to a bare Unix socket of Node; awaited
publishes, requests and answers; and how many messages get through. Every message
has a serial number: exit code 1 if any was lost, repeated or reordered.

Examples:
  agentbus bench
  agentbus bench --seconds 60 --dir /dev/shm     in memory, and with more rounds
  agentbus bench --json | jq .ratio.p50          as many times a socket's latency`;

export function benchCommand(program: Command): Command {
  return program
    .command("bench")
    .description("Measure how fast messages are on this machine.")
    .option("--seconds <n>", "how long it takes, about; 10 unless you say", parseWhole(2, 600))
    .option("--dir <dir>", "measure in a throwaway directory in this one; where your spool is, unless you say")
    .addOption(new Option("--end <transport>").choices(TRANSPORTS).hideHelp())
    .addHelpText("after", EXAMPLES)
    .action((_: unknown, command: Command) => bench(command.optsWithGlobals<BenchCommandOptions>()));
}

async function bench({ end, ...options }: BenchCommandOptions): Promise<void> {
  if (end !== undefined) return runEnd(end, options.dir ?? "");
  const { dir, spoolElsewhere } = await makePlace(options);
  const leftovers = new Leftovers(dir);
  const interruption = new Interruption();
  // Nothing is worth finishing; what is left over goes when the process exits.
  interruption.onFirst(() => {
    showProgress("");
    process.exit((interruption.signal.reason as Interrupted).exitCode);
  });
  try {
    const plan = planFor(options.seconds ?? DEFAULT_SECONDS);
    const machine = describeMachine(dir);
    const result = resultOf(machine, dirname(dir), plan, await runBench(plan, dir, leftovers, showProgress));
    showProgress("");
    await print(result, options.json === true, spoolElsewhere);
    if (!result.isClean) process.exitCode = 1;
  } finally {
    leftovers.clear();
    interruption.close();
  }
}

async function print(result: BenchResult, isJson: boolean, spoolElsewhere: string | undefined): Promise<void> {
  if (isJson) return printLine(toJson(result));
  for (const line of reportLines(result, painterFor(process.stdout), canDrawBlocks(process.env))) await printLine(line);
  if (!result.isClean) say("messages went wrong, so no number counts: agentbus doctor finds what may be the matter");
  if (spoolElsewhere !== undefined) {
    say(`your spool ${spoolElsewhere} is on another filesystem: measure there with agentbus bench --dir DIR`);
  }
}

/** On a terminal, one line that is written over. */
function showProgress(progress: string): void {
  if (process.stderr.isTTY && process.env["TERM"] !== "dumb") process.stderr.write(`\r\x1b[K${progress}`);
}
