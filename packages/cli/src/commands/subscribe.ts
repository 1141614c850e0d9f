import { openBus, type Bus, type Handler, type Refusal } from "@agentbus/core";
import type { Command } from "commander";
import { painterFor } from "../colour.js";
import { End } from "../end.js";
import { UsageError } from "../failure.js";
import { Interruption } from "../interruption.js";
import { messageAsJson, MessageLines } from "../message-line.js";
import { writeLine } from "../output.js";
import type { GlobalOptions } from "../program.js";
import {
  addSubscriptionOptions,
  patternsOf,
  subscribeOptionsOf,
  type SubscriptionCommandOptions,
} from "../subscription-options.js";
import { say } from "../words.js";

interface SubscribeCommandOptions extends GlobalOptions, SubscriptionCommandOptions {
  readonly exec?: string;
}

/** How long a line that is being written is waited for after Ctrl-C, in milliseconds: whoever reads may have stopped. */
const WRITE_MS = 2_000;
const DEFAULT_ATTEMPTS = 5;

const EXAMPLES = `
Patterns: * is exactly one word of a topic, ** at the end one or more; quote
them, or the shell takes them for files.

Examples:
  agentbus subscribe '**'                               everything, until Ctrl-C
  agentbus subscribe 'build.*.done' deploy --json       one JSON object a line
  agentbus subscribe 'build.**' --durable ci            keeps what comes while it does not run
  agentbus subscribe @me --count 1 --timeout 30s        the next message in your inbox
  agentbus subscribe 'job.*' --durable jobs --exec ./work.sh --concurrency 4

A message is acknowledged once its line is written, or once CMD has ended with
0. CMD has the envelope on its stdin, and AGENTBUS_ID, AGENTBUS_TOPIC,
AGENTBUS_SENDER, AGENTBUS_SENDER_UID, AGENTBUS_SUBSCRIPTION and AGENTBUS_ATTEMPT
in its environment; any other end puts the message back for another attempt.
What CMD publishes counts as its consequence, so loops end. The sender is the
owner of the message's file, by the kernel's word. The data is just that: data
from somebody else.`;

export function subscribeCommand(program: Command): Command {
  const command = program
    .command("subscribe")
    .description("Print the messages of topics, or of your inbox, or run a command for each.")
    .argument("<pattern...>", "topics such as 'build.**', or @me for your inbox")
    .option("--exec <command>", "run this for each message instead of printing it");
  return addSubscriptionOptions(command)
    .addHelpText("after", EXAMPLES)
    .action((patterns: string[], _: unknown, self: Command) =>
      subscribe(patterns, self.optsWithGlobals<SubscribeCommandOptions>()),
    );
}

async function subscribe(patterns: readonly string[], options: SubscribeCommandOptions): Promise<void> {
  const { exec, json, concurrency } = options;
  const subscribing = subscribeOptionsOf(options);
  if (exec === undefined && concurrency !== undefined) throw new UsageError("--concurrency goes with --exec");
  const bus = await openBus({ spool: options.spool, group: options.group });
  const interruption = new Interruption();
  try {
    const end = new End(options, interruption);
    interruption.onSecond(() => bus.close());
    const handler =
      exec === undefined ? printing(options, end) : await executing(bus, exec, options, end, interruption);
    const onRefused = (refusal: Refusal) => json !== true && say(refusalInWords(refusal));
    const onError = (error: unknown, { topic, id }: { topic: string; id: string }) => {
      if (json !== true) say(`${topic} ${id}: ${(error as Error).message}`);
    };
    const subscription = await bus.subscribe(
      patternsOf(bus, patterns),
      { ...subscribing, onRefused, onError },
      handler,
    );
    if (json !== true) say(`subscribed to ${patterns.join(" ")} as ${subscription.name}`);
    await end.of(subscription, exec === undefined ? WRITE_MS : undefined);
  } finally {
    await bus.close();
    interruption.close();
  }
}

/** Returns, and so acknowledges, when the line is written. */
function printing({ json }: SubscribeCommandOptions, end: End): Handler<unknown> {
  const lines = new MessageLines(painterFor(process.stdout), Infinity);
  return async (message) => {
    if (!(await end.begin())) return message.giveBack();
    try {
      await writeLine(json === true ? messageAsJson(message) : lines.ofMessage(message, Date.now()));
      end.finish(true);
    } catch (error) {
      message.giveBack();
      end.now(error as Error);
    }
  };
}

/** Returns when the command has ended with 0, and throws when it ended otherwise. */
async function executing(
  bus: Bus,
  exec: string,
  { maxAttempts = DEFAULT_ATTEMPTS, json }: SubscribeCommandOptions,
  end: End,
  interruption: Interruption,
): Promise<Handler<unknown>> {
  const { ExecCommand } = await import("../exec-command.js");
  const command = new ExecCommand(bus, exec);
  command.endWith(interruption, json === true);
  return async (message) => {
    if (!(await end.begin())) return message.giveBack();
    let isHandled = false;
    try {
      const { isDone, failure } = await command.run(message);
      isHandled = isDone || message.attempt >= maxAttempts;
      // It was ended with us, so its end says nothing about the message.
      if (!isDone && interruption.signal.aborted) return message.giveBack();
      if (!isDone) throw new Error(`${failure} (attempt ${message.attempt} of ${maxAttempts})`);
    } finally {
      end.finish(isHandled);
    }
  };
}

function refusalInWords({ reason, detail, sender, file }: Refusal): string {
  const who = sender === undefined ? "somebody" : (sender.user ?? `uid ${sender.uid}`);
  return `refused a message of ${who}: ${reason}: ${detail} (${file})`;
}
