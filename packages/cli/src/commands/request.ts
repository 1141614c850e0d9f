import { openBus } from "@agentbus/core";
import type { Command } from "commander";
import { Interruption } from "../interruption.js";
import { readData, type DataOptions } from "../message-data.js";
import { printLine } from "../output.js";
import { toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { parseDuration } from "../values.js";

interface RequestCommandOptions extends GlobalOptions, DataOptions {
  readonly timeout?: number;
  readonly topic?: string;
}

const EXAMPLES = `
Examples:
  agentbus request math.add '{"a":1,"b":2}'
  agentbus request @codebot '{"review":"HEAD"}' --timeout 5m
  agentbus request text.upper --text hello

Prints the data of the first answer as JSON; --json prints
{"envelope","sender":{"user","uid"}}. Exit code 124 when none came in time, 1
when the responder failed.`;

export function requestCommand(program: Command): Command {
  return program
    .command("request")
    .description("Publish a request, wait for the first answer, and print it.")
    .argument("<target>", "a topic such as math.add, or an address such as @codebot")
    .argument("[data]", "JSON; - or nothing: what is piped in")
    .option("--timeout <duration>", "wait no longer than this; 30s unless you say", parseDuration)
    .option("--topic <topic>", "what a request to an address is about")
    .option("--text", "the data is text, not JSON")
    .option("--raw", "the data is bytes; they travel as base64")
    .addHelpText("after", EXAMPLES)
    .action((target: string, data: string | undefined, _: unknown, command: Command) =>
      request(target, data, command.optsWithGlobals<RequestCommandOptions>()),
    );
}

async function request(target: string, argument: string | undefined, options: RequestCommandOptions): Promise<void> {
  const { topic, timeout } = options;
  const bus = await openBus({ spool: options.spool, group: options.group });
  const interruption = new Interruption();
  const { signal } = interruption;
  try {
    interruption.onSecond(() => bus.close());
    const { maxEnvelopeBytes } = bus.spool.limits;
    const source = { example: `agentbus request ${target}`, maxBytes: maxEnvelopeBytes, signal };
    const { data, ...kind } = await readData(argument, options, source);
    const answer = await bus.request(target, data, { ...kind, topic, timeoutMs: timeout, signal });
    const { envelope, sender } = answer;
    await printLine(
      options.json === true
        ? toJson({ envelope, sender: { user: sender.user, uid: sender.uid } })
        : toJson(envelope.data ?? envelope.data_base64),
    );
  } finally {
    await bus.close();
    interruption.close();
  }
}
