import { openBus, type ChannelMessage, type ChannelRefusal, type Pipe, type PipeFallback } from "@agentbus/core";
import { Option, type Command } from "commander";
import { painterFor } from "../colour.js";
import { End, type EndOptions } from "../end.js";
import { Interruption } from "../interruption.js";
import { parseLine, readData, type DataOptions } from "../message-data.js";
import { messageAsJson, MessageLines, type ShownMessage } from "../message-line.js";
import { writeLine } from "../output.js";
import { toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { linesOfStdin } from "../stdin.js";
import { parseDuration, parseWhole } from "../values.js";
import { say } from "../words.js";

const EXAMPLES = `
Examples:
  agentbus pipe receive                                 what all agents send here
  agentbus pipe send @codebot '{"text":"hello"}'
  tail -F app.log | agentbus pipe send @codebot --lines --text

A pipe holds some 256 KiB; then its sender waits until its receiver takes more.
Nothing is kept: for messages that must survive, agentbus publish.`;

const RECEIVE_EXAMPLES = `
Examples:
  agentbus pipe receive --json
  agentbus pipe receive --count 10 --timeout 1m

Each line: time, topic, sender, how long the message was under way, data. The
sender is the owner of the pipe, by the kernel's word. While the output is not
read, nothing more is taken, and the senders wait.`;

const SEND_EXAMPLES = `
Examples:
  agentbus pipe send @codebot '{"text":"hello"}'
  agentbus pipe send @codebot --fallback spool '{"text":"hello"}'
  jq -c '.[]' events.json | agentbus pipe send @codebot --lines

Ends when its messages are in the pipe; prints their ids with --json.`;

export function pipeCommand(program: Command): Command {
  const pipe = program
    .command("pipe")
    .description("Send and receive through pipes, where a sender waits while its receiver is slow.")
    .addHelpText("after", EXAMPLES);
  pipe
    .command("send")
    .description("Send messages through a pipe to one agent.")
    .argument("<address>", "the agent, such as @codebot")
    .argument("[data]", "JSON; - or nothing: what is piped in")
    .option("--lines", "send each line of stdin as a message")
    .option("--text", "the data is text, not JSON")
    .option("--raw", "the data is bytes; they travel as base64")
    .option("--topic <topic>", 'what it is about; "direct" unless you say')
    .addOption(
      new Option(
        "--fallback <way>",
        "while nobody receives: wait, fail, or send through the spool; wait unless you say",
      ).choices(["wait", "fail", "spool"]),
    )
    .option("--timeout <duration>", "let no message wait longer than this: 500ms, 30s, 10m", parseDuration)
    .addHelpText("after", SEND_EXAMPLES)
    .action((address: string, data: string | undefined, _: unknown, self: Command) =>
      send(address, data, self.optsWithGlobals<SendCommandOptions>()),
    );
  pipe
    .command("receive")
    .description("Print what agents send through pipes to this account.")
    .option("--count <n>", "end after so many messages", parseWhole(1, 1_000_000_000))
    .option("--timeout <duration>", "end after this long, with exit code 124: 500ms, 30s, 10m", parseDuration)
    .addHelpText("after", RECEIVE_EXAMPLES)
    .action((_: unknown, self: Command) => receive(self.optsWithGlobals<GlobalOptions & EndOptions>()));
  return pipe;
}

interface SendCommandOptions extends GlobalOptions, DataOptions {
  readonly lines?: boolean;
  readonly topic?: string;
  readonly fallback?: PipeFallback;
  readonly timeout?: number;
}

async function send(address: string, argument: string | undefined, options: SendCommandOptions): Promise<void> {
  const bus = await openBus({ spool: options.spool, group: options.group });
  const interruption = new Interruption();
  const { signal } = interruption;
  try {
    interruption.onSecond(() => bus.close());
    const pipe = await bus.pipe(address, { fallback: options.fallback, timeoutMs: options.timeout });
    const { maxEnvelopeBytes: maxBytes } = bus.spool.limits;
    if (options.lines === true) await sendLines(pipe, options, maxBytes, signal);
    else {
      const example = `agentbus pipe send ${address}`;
      await sendOne(pipe, await readData(argument, options, { example, maxBytes, signal }), options, signal);
    }
    // It has all of them. A receiver that goes before it has read them is not waited for.
    await pipe.close();
  } finally {
    await bus.close();
    interruption.close();
  }
}

async function sendLines(
  pipe: Pipe,
  options: SendCommandOptions,
  maxBytes: number,
  signal: AbortSignal,
): Promise<void> {
  let number = 0;
  for await (const line of linesOfStdin(maxBytes, signal)) {
    number++;
    if (line.trim() !== "") await sendOne(pipe, parseLine(line, options, `line ${number} of stdin`), options, signal);
  }
  signal.throwIfAborted();
}

async function sendOne(
  pipe: Pipe,
  { data, dataContentType }: { readonly data: unknown; readonly dataContentType?: string },
  { topic, json }: SendCommandOptions,
  signal: AbortSignal,
): Promise<void> {
  const { id } = await pipe.send(data, { topic, dataContentType, signal });
  if (json === true) await writeLine(toJson({ id, by: pipe.state === "spooling" ? "spool" : "pipe" }));
}

async function receive(options: GlobalOptions & EndOptions): Promise<void> {
  const bus = await openBus({ spool: options.spool, group: options.group });
  const interruption = new Interruption();
  const isJson = options.json === true;
  try {
    interruption.onSecond(() => bus.close());
    const end = new End(options, interruption);
    const onRefused = ({ reason, detail, sender }: ChannelRefusal) => {
      say(`refused from ${sender?.user ?? "somebody"}: ${reason}: ${detail}`);
    };
    const pipes = await bus.pipes({ onRefused, signal: end.signal });
    if (!isJson) say(`receiving pipes to @${bus.user}`);
    const lines = new MessageLines(painterFor(process.stdout), Infinity);
    for await (const message of pipes) {
      if (!(await end.begin())) break;
      const shown = shownOf(message);
      await writeLine(isJson ? messageAsJson(shown) : lines.ofMessage(shown, Date.now()));
      end.finish(true);
    }
    end.throwIfFailed();
  } finally {
    await bus.close();
    interruption.close();
  }
}

function shownOf({ envelope, sender }: ChannelMessage): ShownMessage {
  return { envelope, sender, subscription: "pipe", attempt: 1 };
}
