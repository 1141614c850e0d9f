import { isBusError, openBus, type Bus, type Refusal } from "@agentbus/core";
import type { Command } from "commander";
import { painterFor } from "../colour.js";
import { followChannels } from "../channel-lines.js";
import { End, type EndOptions } from "../end.js";
import { Interruption } from "../interruption.js";
import { messageAsJson, MessageLines, refusalAsJson, type ShownMessage } from "../message-line.js";
import { writeLine } from "../output.js";
import type { GlobalOptions } from "../program.js";
import { parseDuration, parseWhole } from "../values.js";
import { say } from "../words.js";

type TailOptions = GlobalOptions & EndOptions & { readonly channels?: boolean };

/** Data of a message that is shown to people, in characters. */
const MAX_DATA = 600;
/** What may wait for a terminal that was stopped, in bytes; beyond it messages are left out, and publishers never wait for us. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;

const EXAMPLES = `
Examples:
  agentbus tail                    everything that is published, as it passes
  agentbus tail 'build.**' --json
  agentbus tail @me                what is and comes in your inbox, left to its consumer
  agentbus tail --channels         pipes and sockets as they open, carry and close

Each line: time, topic, sender, how long the message was under way, data. The
sender is the owner of the message's file, by the kernel's word; what pretends
to be somebody else's is shown as refused. Direct messages to others are not
shown: they are private.`;

export function tailCommand(program: Command): Command {
  return program
    .command("tail")
    .description("Look on: show messages as they pass, and take none.")
    .argument("[pattern...]", "topics such as 'build.**', or @me for your inbox", ["**"])
    .option("--channels", "show the pipes and sockets instead, and how much goes through them")
    .option("--count <n>", "end after so many messages", parseWhole(1, 1_000_000_000))
    .option("--timeout <duration>", "end after this long, with exit code 124: 500ms, 30s, 10m", parseDuration)
    .addHelpText("after", EXAMPLES)
    .action((patterns: string[], _: unknown, command: Command) =>
      tail(patterns, command.optsWithGlobals<TailOptions>()),
    );
}

async function tail(patterns: readonly string[], options: TailOptions): Promise<void> {
  const bus = await openBus({ spool: options.spool, group: options.group });
  const interruption = new Interruption();
  try {
    interruption.onSecond(() => bus.close());
    const end = new End(options, interruption);
    if (options.channels === true) {
      await followChannels(options, end);
      return end.throwIfFailed();
    }
    const view = new View(options.json === true, end);
    const isInbox = patterns.length === 1 && (patterns[0] === "@me" || patterns[0] === `@${bus.user}`);
    if (isInbox)
      for await (const message of bus.peek({ ...view.refusals, signal: end.signal })) await view.show(message);
    else await follow(bus, patterns, view, end);
    end.throwIfFailed();
  } finally {
    await bus.close();
    interruption.close();
  }
}

/** A subscription of its own, which gets its own copy of everything. Should somebody clear it away, it is made anew. */
async function follow(bus: Bus, patterns: readonly string[], view: View, end: End): Promise<void> {
  while (!end.signal.aborted) {
    try {
      const subscription = await bus.subscribe(patterns, { ...view.refusals, signal: end.signal });
      for await (const message of subscription) {
        // At once: a receipt shall not wait for somebody who only looks on.
        await message.ack();
        await view.show(message);
      }
    } catch (error) {
      if (!isBusError(error) || error.code !== "ERR_NOT_FOUND" || end.signal.aborted) throw error;
      say(`${error.message}; looking on with a new one`);
    }
  }
}

/** Shows without waiting for whoever reads, so that a stopped terminal holds up nobody's message. */
class View {
  readonly #isJson: boolean;
  readonly #end: End;
  readonly #lines = new MessageLines(painterFor(process.stdout), MAX_DATA);
  #leftOut = 0;

  constructor(isJson: boolean, end: End) {
    this.#isJson = isJson;
    this.#end = end;
  }

  get refusals(): { readonly onRefused: (refusal: Refusal) => void } {
    return {
      onRefused: (refusal) =>
        this.#write(this.#isJson ? refusalAsJson(refusal) : this.#lines.ofRefusal(refusal, Date.now())),
    };
  }

  async show(message: ShownMessage): Promise<void> {
    if (!(await this.#end.begin())) return;
    this.#write(this.#isJson ? messageAsJson(message) : this.#lines.ofMessage(message, Date.now()));
    this.#end.finish(true);
  }

  #write(line: string): void {
    if (process.stdout.writableLength > MAX_UNREAD_BYTES) {
      this.#leftOut++;
      return;
    }
    if (this.#leftOut > 0) say(`${this.#leftOut} messages are left out: the output was not read`);
    this.#leftOut = 0;
    writeLine(line).catch((error: unknown) => this.#end.now(error as Error));
  }
}
