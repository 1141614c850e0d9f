import fs from "node:fs";
import { BusError } from "@agentbus/core";
import { UsageError } from "./failure.js";
import { readStdin } from "./stdin.js";

export interface DataOptions {
  /** The data is text, not JSON. */
  readonly text?: boolean;
  /** The data is bytes. */
  readonly raw?: boolean;
}

/** Data as `publish` takes it, and what it is. */
export interface MessageData {
  readonly data: unknown;
  readonly dataContentType?: string;
}

/**
 * The data of a message: the argument, or what comes through stdin when it is "-", or when there is none and something is piped in.
 * @param example the command line up to the data, for the error
 * @throws UsageError when it is not JSON
 */
export async function readData(
  argument: string | undefined,
  options: DataOptions,
  { example, maxBytes, signal }: { readonly example: string; readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<MessageData> {
  requireOneKind(options);
  const isPiped = argument === "-" || (argument === undefined && isFed());
  const bytes = isPiped ? await readStdin(maxBytes, signal) : Buffer.from(argument ?? "");
  // Nothing was said, so nothing is sent: an empty pipe is what many a supervisor gives its children.
  if (bytes.length === 0 && (argument === undefined || argument === "-")) return { data: undefined };
  if (options.raw === true) return { data: bytes };
  const text = bytes.toString("utf8");
  return options.text === true
    ? { data: isPiped ? withoutNewline(text) : text, dataContentType: "text/plain" }
    : { data: parseJson(text, isPiped ? "what comes through stdin" : quoted(text), example) };
}

/** Data of one line of several. @param where for the error, such as "line 17" */
export function parseLine(line: string, options: DataOptions, where: string): MessageData {
  requireOneKind(options);
  if (options.raw === true) return { data: Buffer.from(line) };
  if (options.text === true) return { data: line, dataContentType: "text/plain" };
  try {
    return { data: JSON.parse(line) as unknown };
  } catch (error) {
    throw new BusError("ERR_ENVELOPE_INVALID", `${where} is not JSON: ${(error as Error).message}`, {
      fix: "one JSON value a line; or --text, to send each line as text",
      cause: error,
    });
  }
}

function requireOneKind({ text, raw }: DataOptions): void {
  if (text === true && raw === true) throw new UsageError("--text and --raw exclude each other");
}

function parseJson(text: string, what: string, example: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = (error as Error).message;
    throw new UsageError(`${what} is not JSON: ${why}`, suggestionFor(text, example));
  }
}

/** An unquoted argument has lost its quotes to the shell: {a:1} was {"a":1}, and hello was "hello" or no JSON at all. */
function suggestionFor(text: string, example: string): string {
  const restored = text.replaceAll(/([{,]\s*)([A-Za-z_]\w*)(\s*:)/g, '$1"$2"$3');
  if (restored !== text && isJson(restored))
    return `${example} ${shellWord(restored)}    (single quotes keep the double ones)`;
  return `${example} --text ${shellWord(short(text))}    (as text; JSON needs quotes: ${shellWord(JSON.stringify(short(text)))})`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function quoted(text: string): string {
  return JSON.stringify(short(text));
}

function short(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

/** Only a pipe, a socket or a file: a terminal has a person before it, and /dev/null nothing in it. */
function isFed(): boolean {
  try {
    const stat = fs.fstatSync(0);
    return stat.isFIFO() || stat.isFile() || stat.isSocket();
  } catch {
    return false;
  }
}

function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/, "");
}
