import { openBus, type Message } from "@agentbus/core";
import type { Command } from "commander";
import { answerBy } from "../command-answer.js";
import { End } from "../end.js";
import { ExecCommand } from "../exec-command.js";
import { Interruption } from "../interruption.js";
import type { GlobalOptions } from "../program.js";
import {
  addSubscriptionOptions,
  patternsOf,
  subscribeOptionsOf,
  type SubscriptionCommandOptions,
} from "../subscription-options.js";
import { say } from "../words.js";

interface RespondCommandOptions extends GlobalOptions, SubscriptionCommandOptions {
  readonly exec: string;
}

const EXAMPLES = `
Examples:
  agentbus respond math.add --exec 'jq -c "{sum: (.data.a + .data.b)}"'
  agentbus respond @me --exec ./review.sh --concurrency 2

CMD has the request's envelope on its stdin, and AGENTBUS_ID, AGENTBUS_TOPIC,
AGENTBUS_SENDER and more in its environment. What it prints is the answer: JSON
if it is JSON, else text. If it ends with anything but 0, whoever asked is told
the last line of its stderr.`;

export function respondCommand(program: Command): Command {
  const command = program
    .command("respond")
    .description("Answer requests with what a command prints.")
    .argument("<pattern...>", "topics such as math.add, or @me for your inbox")
    .requiredOption("--exec <command>", "computes the answer");
  return addSubscriptionOptions(command)
    .addHelpText("after", EXAMPLES)
    .action((patterns: string[], _: unknown, self: Command) =>
      respond(patterns, self.optsWithGlobals<RespondCommandOptions>()),
    );
}

async function respond(patterns: readonly string[], options: RespondCommandOptions): Promise<void> {
  const { exec, json } = options;
  const subscribing = subscribeOptionsOf(options);
  const bus = await openBus({ spool: options.spool, group: options.group });
  const interruption = new Interruption();
  try {
    const command = new ExecCommand(bus, exec, { captureBytes: bus.spool.limits.maxEnvelopeBytes });
    command.endWith(interruption, json === true);
    interruption.onSecond(() => bus.close());
    const end = new End(options, interruption);
    const responder = (message: Message) => answerBy(message, command, end);
    const onError = (error: unknown) => json !== true && say((error as Error).message);
    const subscription = await bus.respond(patternsOf(bus, patterns), responder, { ...subscribing, onError });
    if (json !== true) say(`answering ${patterns.join(" ")} as ${subscription.name}`);
    await end.of(subscription);
  } finally {
    await bus.close();
    interruption.close();
  }
}
