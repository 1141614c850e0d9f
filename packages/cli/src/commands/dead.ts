import {
  deadLetters,
  type DeadLetter,
  type DeadLetterOffice,
  type LetterSelection,
  type OpenedLetter,
} from "@agentbus/core";
import type { Command } from "commander";
import { UsageError } from "../failure.js";
import { printLine } from "../output.js";
import { printable, toIndentedJson, toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { formatTable } from "../table.js";
import { formatDuration } from "../values.js";
import { say } from "../words.js";

interface SelectionOptions extends GlobalOptions {
  readonly all?: boolean;
  readonly subscription?: string;
}

const EXAMPLES = `
A dead letter is a message that could not be delivered, or that was given up.
NAME is the letter's name or its message's id. docs/errors.md explains each
reason.

Examples:
  agentbus dead ls
  agentbus dead show 01JXYZ3N8QX5T8VY6C2M4A7B9D
  agentbus dead retry --all --subscription alice~ci`;

/** Text of what was not JSON that is shown to people, in characters. */
const MAX_TEXT = 2_000;

export function deadCommand(program: Command): Command {
  const dead = program
    .command("dead")
    .description("List, show, retry or drop the dead letters of your subscriptions, and of queues.")
    .usage("[options] ls|show|retry|drop")
    .addHelpText("after", EXAMPLES);
  dead
    .command("ls")
    .description("List dead letters, the oldest first.")
    .option("--subscription <label>", "only those of this one, such as alice~ci or queue:work")
    .action((_: unknown, command: Command) => list(command.optsWithGlobals<SelectionOptions>()));
  for (const { name, description, action } of ACTIONS) {
    dead
      .command(name)
      .description(description)
      .argument("[name...]", "names of letters, or ids of messages")
      .option("--all", "all of them")
      .option("--subscription <label>", "only those of this one, such as alice~ci or queue:work")
      .action(async (names: string[], _: unknown, command: Command) => {
        const options = command.optsWithGlobals<SelectionOptions>();
        const selection = selectionOf(name, names, options);
        await action(await officeOf(options), selection, options.json === true);
      });
  }
  return dead;
}

const ACTIONS = [
  { name: "show", description: "Show what was read of letters, and why they are dead.", action: show },
  { name: "retry", description: "Put letters back for delivery, due now, with all their attempts.", action: retry },
  { name: "drop", description: "Remove letters for good.", action: drop },
] as const;

function selectionOf(
  command: string,
  names: readonly string[],
  { all = false, subscription }: SelectionOptions,
): LetterSelection {
  if (all === names.length > 0) {
    throw new UsageError(`dead ${command} needs the names of letters, or --all`, "agentbus dead ls shows the names");
  }
  return { names, all, subscription };
}

function officeOf({ spool, group }: GlobalOptions): Promise<DeadLetterOffice> {
  return deadLetters({ spool, group });
}

async function list(options: SelectionOptions): Promise<void> {
  const letters = (await officeOf(options)).list(options.subscription);
  if (options.json === true) return writeAll(letters);
  if (letters.length === 0) return say("there are no dead letters");
  const head = ["NAME", "SUBSCRIPTION", "TOPIC", "SENDER", "AGE", "REASON"];
  for (const line of formatTable(head, letters.map(rowOf))) await printLine(line);
}

function rowOf({ letter, id, subscription, topic, sender, at, reason, detail }: DeadLetter): string[] {
  const age = formatDuration(Math.max(0, Date.now() - Date.parse(at)));
  const why = printable(`${reason}: ${detail}`);
  return [
    printable(id ?? letter),
    printable(subscription),
    printable(topic ?? "-"),
    printable(senderOf(sender)),
    age,
    short(why),
  ];
}

async function show(office: DeadLetterOffice, selection: LetterSelection, isJson: boolean): Promise<void> {
  const letters = await office.open(selection);
  if (isJson) return writeAll(letters);
  for (const letter of letters) for (const line of linesOf(letter)) await printLine(line);
}

function linesOf(letter: OpenedLetter): string[] {
  const facts: [string, string][] = [
    ["letter", letter.letter],
    ["subscription", letter.subscription],
    ["reason", `${letter.reason}: ${letter.detail}`],
    ["since", `${letter.at}, after ${letter.attempts} attempts`],
    ["sender", senderOf(letter.sender)],
    ["retry", letter.isRetriable ? `agentbus dead retry ${letter.letter}` : "not possible: it never was a message"],
  ];
  const { envelope, text } = letter;
  const content =
    envelope === undefined
      ? text === undefined
        ? "nothing of it could be read"
        : short(printable(text), MAX_TEXT)
      : toIndentedJson(envelope);
  return [...facts.map(([name, value]) => `${name.padEnd(12)}  ${printable(value)}`), content, ""];
}

async function retry(office: DeadLetterOffice, selection: LetterSelection, isJson: boolean): Promise<void> {
  const { retried, failed } = await office.retry(selection);
  if (isJson) await writeAll(retried);
  else say(`${retried.length} put back for delivery`);
  const [first] = failed;
  if (first === undefined) return;
  // Asked for by name, it is a failure; of all, those that can be.
  if (selection.all !== true) throw first.error;
  if (!isJson) for (const { error } of failed) say(error.message);
}

async function drop(office: DeadLetterOffice, selection: LetterSelection, isJson: boolean): Promise<void> {
  const dropped = office.drop(selection);
  if (isJson) await writeAll(dropped);
  else say(`${dropped.length} dropped`);
}

async function writeAll(letters: readonly DeadLetter[]): Promise<void> {
  for (const letter of letters) await printLine(toJson(letter));
}

function senderOf(sender: DeadLetter["sender"]): string {
  return sender === null ? "-" : (sender.user ?? `uid ${sender.uid}`);
}

function short(text: string, max = 100): string {
  return text.length > max ? `${text.slice(0, max)}…` : text;
}
