import { openBus } from "@agentbus/core";
import type { Command } from "commander";
import { Interruption } from "../interruption.js";
import { readData, type DataOptions } from "../message-data.js";
import { writeLine } from "../output.js";
import { toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { parseDuration } from "../values.js";

interface CallCommandOptions extends GlobalOptions, DataOptions {
  readonly timeout?: number;
  readonly wait?: number;
}

const EXAMPLES = `
Examples:
  agentbus call @codebot/search '{"text":"backpressure"}'
  agentbus call @codebot/search --text backpressure --timeout 5s
  agentbus call @codebot/search --wait 10s '"are you up?"'

Prints the data of the answer as JSON; an answer that is a stream, one line for
each value. --json prints {"envelope","sender":{"user","uid"}}, and before a
stream's values that of its beginning. Exit code 124 when no answer came in
time, 1 when the handler failed or nobody serves the name.`;

export function callCommand(program: Command): Command {
  return program
    .command("call")
    .description("Call what an agent serves through a socket, and print the answer.")
    .argument("<address>", "the agent and the name that it serves, such as @codebot/search")
    .argument("[data]", "JSON; - or nothing: what is piped in")
    .option("--timeout <duration>", "wait no longer than this for the answer; 30s unless you say", parseDuration)
    .option("--wait <duration>", "wait so long for it to be served; not at all unless you say", parseDuration)
    .option("--text", "the data is text, not JSON")
    .option("--raw", "the data is bytes; they travel as base64")
    .addHelpText("after", EXAMPLES)
    .action((address: string, data: string | undefined, _: unknown, command: Command) =>
      call(address, data, command.optsWithGlobals<CallCommandOptions>()),
    );
}

async function call(address: string, argument: string | undefined, options: CallCommandOptions): Promise<void> {
  const { json, timeout, wait } = options;
  const bus = await openBus({ spool: options.spool, group: options.group });
  const interruption = new Interruption();
  const { signal } = interruption;
  try {
    interruption.onSecond(() => bus.close());
    const source = { example: `agentbus call ${address}`, maxBytes: bus.spool.limits.maxEnvelopeBytes, signal };
    const { data, ...kind } = await readData(argument, options, source);
    const client = await bus.connect(address, { waitMs: wait, signal });
    const answer = await client.call(data, { ...kind, timeoutMs: timeout, signal });
    const { envelope, sender } = answer;
    const isStream = isAsyncIterable(answer.data);
    if (json === true) await writeLine(toJson({ envelope, sender: { user: sender.user, uid: sender.uid } }));
    else if (!isStream) await writeLine(toJson(envelope.data ?? envelope.data_base64));
    if (isStream) for await (const value of answer.data as AsyncIterable<unknown>) await writeLine(toJson(value));
  } finally {
    await bus.close();
    interruption.close();
  }
}

function isAsyncIterable(value: unknown): boolean {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}
