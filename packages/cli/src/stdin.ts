import { BusError } from "@agentbus/core";
import { say } from "./words.js";

/** A pipe that nobody closes would hang the command without a word. */
const EXPLAIN_AFTER_MS = 2_000;
const NEWLINE = 0x0a;

/** Everything that comes through stdin. @throws BusError ERR_TOO_LARGE; the signal's reason */
export async function readStdin(maxBytes: number, signal: AbortSignal): Promise<Buffer> {
  const stop = () => process.stdin.destroy(signal.reason as Error);
  signal.addEventListener("abort", stop);
  const explanation = setTimeout(() => {
    say("reading the data from stdin until it ends; to send none, say null");
  }, EXPLAIN_AFTER_MS);
  try {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > maxBytes) throw tooLarge("stdin", maxBytes);
    }
    return Buffer.concat(chunks);
  } finally {
    clearTimeout(explanation);
    signal.removeEventListener("abort", stop);
    process.stdin.destroy();
  }
}

/**
 * The lines of stdin, without their ends; the signal ends them. Not node:readline, for which U+2028 ends a line too: in JSON it may
 * stand within a string.
 * @throws BusError ERR_TOO_LARGE
 */
export async function* linesOfStdin(maxBytes: number, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
  const stop = () => process.stdin.destroy();
  signal.addEventListener("abort", stop);
  let rest = Buffer.alloc(0);
  try {
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      rest = Buffer.concat([rest, chunk]);
      let start = 0;
      for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE, start)) {
        yield textOf(rest.subarray(start, end));
        start = end + 1;
      }
      rest = rest.subarray(start);
      if (rest.length > maxBytes) throw tooLarge("a line of stdin", maxBytes);
    }
    if (rest.length > 0) yield textOf(rest);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

function textOf(line: Buffer): string {
  return line.toString("utf8").replace(/\r$/, "");
}

function tooLarge(what: string, maxBytes: number): BusError {
  return new BusError(
    "ERR_TOO_LARGE",
    `${what} holds more than the ${maxBytes} bytes that the spool takes as one message`,
    {
      fix: "store it in a file that the group may read, and publish its path; or --lines, for one message a line",
    },
  );
}
