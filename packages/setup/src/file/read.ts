import fs from "node:fs";
import { BusError, shellQuote } from "@agentbus/core";

const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = fs.constants;

/**
 * The whole of a regular file of bounded size. It follows links, since the administrator names it, but waits for nothing: not
 * for a FIFO, a device or a terminal.
 * @throws BusError ERR_SETUP_FILE
 */
export function readBoundedText(path: string, maxBytes: number): string {
  let fd: number;
  try {
    fd = fs.openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isFile()) throw refusal(path, "it is no regular file");
    const buffer = Buffer.alloc(maxBytes + 1);
    let length = 0;
    for (let bytes = -1; bytes !== 0 && length < buffer.length; length += bytes) {
      bytes = fs.readSync(fd, buffer, length, buffer.length - length, null);
    }
    if (length > maxBytes) throw refusal(path, `it is larger than ${maxBytes} bytes`);
    return new TextDecoder("utf-8", { fatal: true }).decode(buffer.subarray(0, length));
  } catch (error) {
    if (error instanceof TypeError) throw refusal(path, "it is not UTF-8");
    throw error;
  } finally {
    fs.closeSync(fd);
  }
}

function refusal(path: string, why: string): BusError {
  return new BusError("ERR_SETUP_FILE", `cannot use ${path}: ${why}`, {
    path,
    fix: "name an agentbus.json; agentbus setup new codebot reviewer writes a first one",
  });
}

/** By the system's errors. */
const REASONS: Readonly<Record<string, (path: string) => readonly [why: string, fix: string]>> = {
  ENOENT: () => [
    "there is no such file",
    "agentbus setup new codebot reviewer, which writes one; or name another file",
  ],
  EACCES: (path) => ["this account may not read it", `ls -ld ${path} shows who may, if its directories let you look`],
};

function unreadable(path: string, error: unknown): BusError {
  const errno = (error as NodeJS.ErrnoException).code ?? "";
  const [why, fix] = REASONS[errno]?.(shellQuote(path)) ?? [errno, `ls -ld ${shellQuote(path)}`];
  return new BusError("ERR_SETUP_FILE", `cannot read ${path}: ${why}`, { path, cause: error, fix });
}
