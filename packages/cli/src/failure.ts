import type { BusError } from "@agentbus/core";
import { printable } from "./printable.js";
import { say, sayAsIs } from "./words.js";

/** The command line is wrong: exit code 2. */
export class UsageError extends Error {
  /** @param fix what to write instead */
  constructor(
    message: string,
    readonly fix?: string,
  ) {
    super(message);
  }
}

/** A signal ended the command. */
export class Interrupted extends Error {
  constructor(readonly exitCode: number) {
    super("interrupted");
  }
}

/** Nobody reads stdout any more (`| head`). */
export class OutputClosed extends Error {}

const FAILED = 1;
const USAGE = 2;
const TIMED_OUT = 124;

/** Says on stderr what could not be done, and what mends it. @param command whose help may help @returns the exit code */
export async function reportFailure(error: unknown, isJson: boolean, command: string | undefined): Promise<number> {
  if (error instanceof OutputClosed) return 0;
  if (error instanceof Interrupted) return error.exitCode;
  if (isCommanderError(error)) return reportCommander(error, isJson, command);
  if (error instanceof UsageError) return reportUsage(error.message, error.fix, isJson);
  const { isBusError } = await import("@agentbus/core");
  if (isBusError(error)) return reportBusError(error, isJson);
  // What core refuses as misuse comes from an option or an argument here.
  if (error instanceof TypeError && !isBug(error)) return reportUsage(error.message, helpFor(command), isJson);
  sayAsIs(printable(error instanceof Error ? (error.stack ?? error.message) : String(error), "\n"));
  return FAILED;
}

/** Says what the bus warns of in our own way: Node would add its process id and an option that traces it. */
export function reportWarnings(isJson: boolean): void {
  process.removeAllListeners("warning");
  process.on("warning", ({ name, message }) => {
    const words = name === "AgentbusWarning" ? message : `${name}: ${message}`;
    if (isJson) sayAsIs(JSON.stringify({ warning: { message: words } }));
    else say(words);
  });
}

function reportBusError(error: BusError, isJson: boolean): number {
  const { code, message, path, fix, details } = error;
  if (isJson) sayAsIs(JSON.stringify({ error: { code, message, path, fix, details } }));
  else if (isSeveral(details?.["several"])) saySeveral(code, details["several"]);
  else {
    say(`${code}: ${message}`);
    if (fix !== undefined) say(`  fix: ${fix}`);
  }
  return code === "ERR_TIMEOUT" ? TIMED_OUT : FAILED;
}

/** Several things that are wrong are a wall of text on one line: each has its own, and below it what mends it. */
interface Several {
  readonly about: string;
  readonly faults: readonly { readonly problems: readonly string[]; readonly fix: string }[];
}

function isSeveral(value: unknown): value is Several {
  return typeof value === "object" && value !== null && Array.isArray((value as Partial<Several>).faults);
}

function saySeveral(code: string, { about, faults }: Several): void {
  say(`${code}: ${about}:`);
  for (const { problems, fix } of faults) {
    for (const problem of problems) say(`  ${problem}`);
    say(`    fix: ${fix}`);
  }
}

function reportUsage(message: string, fix: string | undefined, isJson: boolean): number {
  if (isJson) sayAsIs(JSON.stringify({ error: { code: "USAGE", message, fix } }));
  else {
    say(`agentbus: ${message}`);
    if (fix !== undefined) say(`  fix: ${fix}`);
  }
  return USAGE;
}

interface CommanderFailure extends Error {
  readonly code: string;
  readonly exitCode: number;
}

/** By its code, so that only the parser has to load commander. */
function isCommanderError(error: unknown): error is CommanderFailure {
  return error instanceof Error && String((error as Partial<CommanderFailure>).code).startsWith("commander.");
}

function reportCommander(error: CommanderFailure, isJson: boolean, command: string | undefined): number {
  if (error.exitCode === 0) return 0;
  // Help was printed, because there was no command.
  if (error.code === "commander.help") return USAGE;
  const [message = "", ...hints] = error.message.replace(/^error: /, "").split("\n");
  // Of a second word that is none, only the first one has help.
  if (error.code === "commander.unknownCommand") command = command?.split(" ")[0];
  const fix = hints.length > 0 ? hints.join(" ").replace(/^\((.*)\)$/, "$1") : remedyFor(error.code, command);
  return reportUsage(message, fix, isJson);
}

function remedyFor(code: string, command: string | undefined): string {
  // The usual reason: the shell has split JSON at its blanks.
  const isData = code === "commander.excessArguments" && (command === "publish" || command === "request");
  return isData ? `put single quotes around the data: agentbus ${command} TOPIC '{"a": 1}'` : helpFor(command);
}

function helpFor(command: string | undefined): string {
  return `agentbus ${command === undefined ? "" : `${command} `}--help`;
}

/** The engine's own complaints; everything else was written for whoever wrote the call. */
function isBug({ message }: TypeError): boolean {
  return /is not a function|is not iterable|of (?:undefined|null)|is not a constructor/.test(message);
}
