import { openBus, type PublishOptions, type PublishResult } from "@agentbus/core";
import { Option, type Command } from "commander";
import { UsageError } from "../failure.js";
import { Interruption } from "../interruption.js";
import { readData, type DataOptions } from "../message-data.js";
import { printLine } from "../output.js";
import { toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { parseDuration, parseWhole } from "../values.js";
import { say } from "../words.js";

interface PublishCommandOptions extends GlobalOptions, DataOptions {
  readonly to?: string;
  readonly lines?: boolean;
  readonly sync?: "none" | "data" | "full";
  readonly priority?: number;
  readonly expires?: number;
  readonly id?: string;
  readonly type?: string;
  readonly subject?: string;
  readonly correlation?: string;
  readonly mandatory?: boolean;
  readonly onFull?: "error" | "wait" | "drop";
  readonly receipt?: boolean;
  readonly timeout?: number;
}

const EXAMPLES = `
Examples:
  agentbus publish build.done '{"commit":"4f2a"}'
  agentbus publish @codebot '{"text":"please review"}'       a direct message
  agentbus publish --to @codebot review.request '{"pr":7}'   a direct message with a topic
  git log -1 --format=%s | agentbus publish repo.subject --text
  jq -c '.[]' events.json | agentbus publish events --lines
  agentbus publish job.new '{"n":1}' --receipt --timeout 5m  and wait until everybody has handled it

Prints the message's id on stdout; --json prints {"id","topic","subscriptions"}:
who stores the message now.`;

export function publishCommand(program: Command): Command {
  return program
    .command("publish")
    .description("Publish a message to everybody who is subscribed to a topic, or send it to one agent's inbox.")
    .argument("<topic>", "a topic such as build.done, or an address such as @codebot")
    .argument("[data]", "JSON; - or nothing: what is piped in")
    .option("--to <address>", "send it to this agent only; the topic is then just what it is about")
    .option("--lines", "publish each line of stdin as a message")
    .option("--text", "the data is text, not JSON")
    .option("--raw", "the data is bytes; they travel as base64")
    .addOption(
      new Option("--sync <level>", "what it survives once published: a power cut with data or full").choices([
        "none",
        "data",
        "full",
      ]),
    )
    .option("--priority <0-9>", "0 is delivered first; 5 unless you say", parseWhole(0, 9))
    .option("--expires <duration>", "nobody receives it later than this: 90s, 10m, 1d", parseDuration)
    .option("--id <id>", "repeats a publish: who has a message of this id does not get it twice")
    .option("--type <type>", "what kind of event it is; the topic unless you say")
    .option("--subject <subject>", "what it is about")
    .option("--correlation <id>", "the conversation that it belongs to")
    .option("--mandatory", "fail when nobody is subscribed")
    .addOption(
      new Option("--on-full <policy>", "when a subscription holds all it may; error unless you say").choices([
        "error",
        "wait",
        "drop",
      ]),
    )
    .option("--receipt", "wait until everybody has acknowledged it")
    .option("--timeout <duration>", "wait no longer than this, for --receipt and --on-full wait", parseDuration)
    .addHelpText("after", EXAMPLES)
    .action((topic: string, data: string | undefined, _: unknown, command: Command) =>
      publish(topic, data, command.optsWithGlobals<PublishCommandOptions>()),
    );
}

async function publish(topic: string, argument: string | undefined, options: PublishCommandOptions): Promise<void> {
  const destination = destinationOf(topic, options);
  if (options.lines === true) {
    if (argument !== undefined && argument !== "-") throw new UsageError("--lines takes its data from stdin");
    if (options.receipt === true || options.id !== undefined)
      throw new UsageError("--lines goes with neither --receipt nor --id");
  }
  const bus = await openBus({ spool: options.spool, group: options.group });
  const interruption = new Interruption();
  const publishing = { ...publishingOf(options, destination), signal: interruption.signal };
  try {
    if (options.lines === true) {
      const { publishLines } = await import("../publish-lines.js");
      return await publishLines(bus, destination.target, options, publishing);
    }
    const { data, ...kind } = await readData(argument, options, {
      example: `agentbus publish ${topic}`,
      maxBytes: bus.spool.limits.maxEnvelopeBytes,
      signal: interruption.signal,
    });
    const result = await bus.publish(destination.target, data, { ...publishing, ...kind });
    await report(result, options);
    await waitForReceipt(result, options, interruption.signal);
  } finally {
    interruption.close();
    await bus.close();
  }
}

/** Where a message goes: to a topic, or to an address with a topic that says what it is about. */
interface Destination {
  readonly target: string;
  readonly topic: string | undefined;
}

function destinationOf(topic: string, { to }: PublishCommandOptions): Destination {
  if (to === undefined) return { target: topic, topic: undefined };
  if (topic.startsWith("@"))
    throw new UsageError("with --to, the first argument is a topic", `agentbus publish ${topic} DATA`);
  return { target: to.startsWith("@") ? to : `@${to}`, topic };
}

function publishingOf(options: PublishCommandOptions, { topic }: Destination): PublishOptions {
  const { id, type, subject, priority, expires, correlation, mandatory, sync, onFull, receipt, timeout } = options;
  return {
    ...{ topic, id, type, subject, priority, mandatory, sync, onFull, receipt },
    ...{ expiresInMs: expires, correlationId: correlation, timeoutMs: timeout },
  };
}

async function report(
  { id, topic, subscriptions, full }: PublishResult,
  { json }: PublishCommandOptions,
): Promise<void> {
  if (json === true) return printLine(toJson({ id, topic, subscriptions, ...(full.length > 0 ? { full } : {}) }));
  say(
    subscriptions.length === 0
      ? `nobody is subscribed to ${topic}: nothing is stored`
      : `stored by ${subscriptions.join(", ")}`,
  );
  if (full.length > 0) say(`not by ${full.join(", ")}, which hold all they may`);
  await printLine(id);
}

async function waitForReceipt(
  { receipt }: PublishResult,
  { timeout, json }: PublishCommandOptions,
  signal: AbortSignal,
): Promise<void> {
  if (receipt === undefined) return;
  try {
    await receipt.acked({ timeoutMs: timeout, signal });
    if (json !== true) say("acknowledged by all");
  } finally {
    receipt.close();
  }
}
