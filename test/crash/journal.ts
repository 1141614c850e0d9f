import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";

/** What a process says about a message, in the order in which it happened to it. */
export type Note =
  /** About to be published; whether it was, nobody knows yet. */
  | { readonly what: "attempt"; readonly id: string }
  /** `publish()` resolved. */
  | { readonly what: "promise"; readonly id: string; readonly subscriptions: readonly string[] }
  /** A handler has it. */
  | {
      readonly what: "handle";
      readonly id: string;
      readonly subscription: string;
      readonly attempt: number;
      readonly from: string;
      readonly n: number;
      readonly priority: number;
      readonly intact: boolean;
    }
  /** `ack()` or `reject()` resolved: it must not come again. */
  | { readonly what: "settled"; readonly id: string; readonly subscription: string }
  /** Anything else that a test wants to know. */
  | { readonly what: "say"; readonly text: string };

/** A file of notes that survives its writer: each is one write(2) with O_APPEND, made before the next thing is done. */
export class Journal {
  readonly #fd: number;

  constructor(readonly path: string) {
    this.#fd = fs.openSync(path, "a");
  }

  note(note: Note): void {
    fs.writeSync(this.#fd, `${JSON.stringify(note)}\n`);
  }

  close(): void {
    fs.closeSync(this.#fd);
  }

  static read(path: string): Note[] {
    return wholeLinesOf(path).map((line) => JSON.parse(line) as Note);
  }
}

/** Of a file that somebody may be writing. A write that crosses a page comes in two parts, for who reads meanwhile and for a kill. */
export function wholeLinesOf(path: string): string[] {
  if (!fs.existsSync(path)) return [];
  const text = fs.readFileSync(path, "utf8");
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter(Boolean);
}

/** Data that tells whether it arrived as it was sent, and in which place of its publisher's sequence. */
export interface Payload {
  readonly from: string;
  readonly n: number;
  readonly text: string;
  readonly sum: string;
}

export function payload(from: string, n: number, bytes = 200): Payload {
  const text = randomBytes(Math.ceil(bytes / 2)).toString("hex");
  return { from, n, text, sum: sumOf(from, n, text) };
}

export function isIntact(value: unknown): value is Payload {
  const { from, n, text, sum } = value as Partial<Payload>;
  return sum !== undefined && sum === sumOf(String(from), Number(n), String(text));
}

function sumOf(from: string, n: number, text: string): string {
  return createHash("sha256").update(`${from} ${n} ${text}`).digest("hex").slice(0, 16);
}
