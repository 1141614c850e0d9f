import { Option, type Command } from "commander";
import { publishMessage, type PublishCommandOptions } from "../publish-message.js";
import { parseDuration, parseWhole } from "../values.js";

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
      publishMessage(topic, data, command.optsWithGlobals<PublishCommandOptions>()),
    );
}
