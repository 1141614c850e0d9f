import { openBus, type SocketMessage } from "@agentbus/core";
import type { Command } from "commander";
import { answerBy } from "../command-answer.js";
import { End } from "../end.js";
import { ExecCommand } from "../exec-command.js";
import { Interruption } from "../interruption.js";
import type { GlobalOptions } from "../program.js";
import { parseDuration, parseWhole } from "../values.js";
import { say } from "../words.js";

interface ServeCommandOptions extends GlobalOptions {
  readonly exec: string;
  readonly allowUser?: readonly string[];
  readonly allowGroup?: readonly string[];
  readonly concurrency?: number;
  readonly count?: number;
  readonly timeout?: number;
}

const EXAMPLES = `
Examples:
  agentbus serve search --exec ./search.sh
  agentbus serve math --exec 'jq -c "{sum: (.data.a + .data.b)}"' --allow-user codebot

Others reach it as @you/search: agentbus call @you/search '{"text":"hello"}'.

CMD has the call's envelope on its stdin, and AGENTBUS_ID, AGENTBUS_TOPIC,
AGENTBUS_SENDER and more in its environment. What it prints is the answer: JSON
if it is JSON, else text. If it ends with anything but 0, whoever called is told
the last line of its stderr.`;

export function serveCommand(program: Command): Command {
  return program
    .command("serve")
    .description("Serve calls through a socket with what a command prints.")
    .argument("<name>", "what it is called; others call @you/NAME")
    .requiredOption("--exec <command>", "computes the answer")
    .option("--allow-user <names...>", "serve these accounts only, and those of --allow-group")
    .option("--allow-group <names...>", "serve members of these groups only, and the accounts of --allow-user")
    .option("--concurrency <n>", "commands at a time; 1 unless you say", parseWhole(1, 10_000))
    .option("--count <n>", "end after so many calls", parseWhole(1, 1_000_000_000))
    .option("--timeout <duration>", "end after this long, with exit code 124: 500ms, 30s, 10m", parseDuration)
    .addHelpText("after", EXAMPLES)
    .action((name: string, _: unknown, self: Command) => serve(name, self.optsWithGlobals<ServeCommandOptions>()));
}

async function serve(name: string, options: ServeCommandOptions): Promise<void> {
  const { allowUser: users, allowGroup: groups, exec, json, concurrency = 1 } = options;
  const bus = await openBus({ spool: options.spool, group: options.group });
  const interruption = new Interruption();
  try {
    const command = new ExecCommand(bus, exec, { captureBytes: bus.spool.limits.maxEnvelopeBytes });
    command.endWith(interruption, json === true);
    interruption.onSecond(() => bus.close());
    const end = new End(options, interruption);
    const handler = (message: SocketMessage) => answerBy(message, command, end);
    const allow = users === undefined && groups === undefined ? undefined : { users, groups };
    const server = await bus.serve(name, { allow, concurrency, concurrencyPerUser: concurrency }, handler);
    if (json !== true) say(`serving ${server.address}`);
    await end.of(server);
  } finally {
    await bus.close();
    interruption.close();
  }
}
