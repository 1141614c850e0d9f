import { addMemberCommand, createSpool, type Bar, type CreatedSpool, type SpoolLimits } from "@agentbus/core";
import { InvalidArgumentError, type Command } from "commander";
import { printLine } from "../output.js";
import { printable, toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { say } from "../words.js";

const EXAMPLES = `
Without --group it is your personal spool, which the first use makes anyway. Run
again, it puts right what has changed in owners and modes.

Examples:
  sudo agentbus init --group agents    a spool for everybody in the group agents
  agentbus init --spool /tmp/try       one to try things out in`;

const ACCOUNT = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/;

export function initCommand(program: Command): Command {
  return program
    .command("init")
    .description("Make the spool of a group (as root), or a personal one, or put one right.")
    .addHelpText("after", EXAMPLES)
    .option("--limit <name=value>", "set a limit, such as maxBacklog=1000; may be repeated", addLimit)
    .option(
      "--bar <name:channel>",
      "let an account use no sockets, or no pipes: codebot:pipes; may be repeated",
      addBar,
    )
    .option("--unbar <name:channel>", "let it again; may be repeated", addBar)
    .option("--relay <name>", "let an account publish in the name of others, as root may; may be repeated", addRelay)
    .option("--unrelay <name>", "let it no longer; may be repeated", addRelay)
    .action((_: unknown, command: Command) => init(command.optsWithGlobals<InitOptions>()));
}

interface InitOptions extends GlobalOptions {
  readonly limit?: Partial<SpoolLimits>;
  readonly bar?: readonly Bar[];
  readonly unbar?: readonly Bar[];
  readonly relay?: readonly string[];
  readonly unrelay?: readonly string[];
}

function addLimit(text: string, limits: Partial<SpoolLimits> = {}): Partial<SpoolLimits> {
  const [, name, value] = /^([A-Za-z]+)=([0-9]{1,15})$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError("It is a name and a number, such as maxBacklog=1000.");
  return { ...limits, [name]: Number(value) };
}

function addBar(text: string, bars: readonly Bar[] = []): readonly Bar[] {
  const [, user, channel] = /^([A-Za-z0-9_][A-Za-z0-9._-]{0,63}):(sockets|pipes)$/.exec(text) ?? [];
  if (user === undefined || (channel !== "sockets" && channel !== "pipes"))
    throw new InvalidArgumentError("It is an account and a kind of channel, such as codebot:sockets or codebot:pipes.");
  return [...bars, { user, channel }];
}

function addRelay(name: string, relays: readonly string[] = []): readonly string[] {
  if (!ACCOUNT.test(name)) throw new InvalidArgumentError("It is the name of an account, such as bridge.");
  return [...relays, name];
}

async function init({ spool, group, json, limit, ...accounts }: InitOptions): Promise<void> {
  const { bar, unbar, relay, unrelay } = accounts;
  const made = await createSpool({ spool, group, limits: limit, bar, unbar, relay, unrelay });
  if (json === true) return printLine(toJson(made));
  for (const line of describe(made)) say(line);
  await printLine(printable(made.path));
}

function describe({ kind, group, created, changes }: CreatedSpool): string[] {
  const what = kind === "group" ? `the spool of group ${group ?? "?"}` : "the personal spool";
  if (!created)
    return changes.length === 0 ? [`${what} was there and is as it should be`] : [`put right in ${what}:`, ...changes];
  if (kind === "personal") return [`made ${what}; try: agentbus subscribe '**'`];
  return [
    `made ${what}; its members can use it now. To add one: ${addMemberCommand("NAME", group ?? "GROUP")}, then NAME logs in again`,
  ];
}
