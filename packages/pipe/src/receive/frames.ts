import { isUtf8 } from "node:buffer";

const NEWLINE = 0x0a;
/** A piece of one byte takes a hundred to keep: so many are joined. */
const MAX_PARTS = 1_024;
/** What a decoder puts in the place of what is not UTF-8, unless it stood there before. */
const REPLACEMENT = "\ufffd";

/** A piece of what came: whole lines as text; or something that is no line of text. */
export type Piece = { readonly text: string } | UnfitPiece;

export interface UnfitPiece {
  readonly reason: "invalid-json" | "too-large" | "truncated";
  readonly detail: string;
}

/**
 * Puts the lines of one pipe together from the pieces in which they are read. It never holds more than one line of the largest size,
 * and what is longer is passed over up to its end.
 */
export class Frames {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #length = 0;
  #isSkipping = false;

  /** @param maxBytes of a line */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of a line whose end has not come. */
  get held(): number {
    return this.#length;
  }

  /** What is left when no more comes: the beginning of a line; undefined when the last one was whole. */
  end(): UnfitPiece | undefined {
    if (this.#length === 0) return undefined;
    return { reason: "truncated", detail: `its sender was gone after ${this.#length} bytes of a line` };
  }

  /** @param bytes which are the caller's again afterwards @returns what is whole by now */
  add(bytes: Buffer): Piece[] {
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end === 0) {
      this.#hold(bytes);
      return this.#length > this.#maxBytes ? [this.#skip()] : [];
    }
    const pieces: Piece[] = [];
    let start = 0;
    if (this.#isSkipping) {
      start = bytes.indexOf(NEWLINE) + 1;
      this.#isSkipping = false;
    }
    if (start < end) decode(this.#join(bytes.subarray(start, end)), pieces);
    this.#hold(bytes.subarray(end));
    return pieces;
  }

  #hold(bytes: Buffer): void {
    if (bytes.length === 0 || this.#isSkipping) return;
    this.#parts.push(Buffer.from(bytes));
    this.#length += bytes.length;
    if (this.#parts.length === MAX_PARTS) this.#parts = [Buffer.concat(this.#parts)];
  }

  #join(bytes: Buffer): Buffer {
    if (this.#length === 0) return bytes;
    const joined = Buffer.concat([...this.#parts, bytes]);
    this.#parts = [];
    this.#length = 0;
    return joined;
  }

  #skip(): UnfitPiece {
    this.#parts = [];
    this.#length = 0;
    this.#isSkipping = true;
    return { reason: "too-large", detail: `a line of more than ${this.#maxBytes} bytes` };
  }
}

/** @param bytes whole lines */
function decode(bytes: Buffer, pieces: Piece[]): void {
  const text = bytes.toString("utf8");
  if (!text.includes(REPLACEMENT) || isUtf8(bytes)) return void pieces.push({ text });
  for (let start = 0, end; start < bytes.length; start = end) {
    end = bytes.indexOf(NEWLINE, start) + 1;
    const line = bytes.subarray(start, end);
    pieces.push(
      isUtf8(line) ? { text: line.toString("utf8") } : { reason: "invalid-json", detail: "a line is not UTF-8" },
    );
  }
}
