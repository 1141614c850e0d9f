import fs from "node:fs";
import { OutputClosed } from "./failure.js";

const STDOUT = 1;

/**
 * Writes a line to stdout, and waits for whoever reads it: for commands that print their result and end. Not through
 * `process.stdout`, which takes 4 ms to come into being.
 * @throws OutputClosed when nobody reads any more; the system's error, such as ENOSPC
 */
export async function printLine(line: string): Promise<void> {
  const bytes = Buffer.from(`${line}\n`);
  let written = 0;
  try {
    while (written < bytes.length) written += fs.writeSync(STDOUT, bytes, written);
  } catch (error) {
    // Somebody made the pipe non-blocking, and it is full: the stream knows how to wait.
    if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw asFailure(error as NodeJS.ErrnoException);
    await write(bytes.subarray(written));
  }
}

/**
 * Writes a line to stdout without holding up anything else. Resolves when the kernel has taken it, so what depends on it may be
 * done then. @throws as `printLine`
 */
export function writeLine(line: string): Promise<void> {
  return write(`${line}\n`);
}

/** Writes what help consists of, for commander, which does not wait. Where nobody reads any more, nobody misses it. */
export function printHelp(text: string): void {
  write(text).catch(() => undefined);
}

let isListening = false;

function write(data: string | Buffer): Promise<void> {
  // Each failure is reported to the write that it belongs to, and must not be thrown as well.
  if (!isListening) process.stdout.on("error", () => undefined);
  isListening = true;
  return new Promise((resolve, reject) => {
    process.stdout.write(data, (error) => (error ? reject(asFailure(error)) : resolve()));
  });
}

function asFailure(error: NodeJS.ErrnoException): Error {
  const isClosed = ["EPIPE", "ERR_STREAM_DESTROYED", "ERR_STREAM_WRITE_AFTER_END"].includes(error.code ?? "");
  return isClosed ? new OutputClosed("stdout is closed") : error;
}
