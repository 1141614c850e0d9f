/**
 * What goes over a connection: lines of UTF-8, each a letter, a number, and what belongs to it.
 *
 *     C17 {"specversion":"1.0","id":"01J…",…}
 *
 * A call and all that follows from it bear its number, which the client chose. Number 0 is the connection's own.
 */
export const Kind = Object.freeze({
  /** `H0 {"agentbus":1,…}`: the first frame of each side. */
  hello: "H",
  /** `C<call> <envelope>`: a call. */
  call: "C",
  /** `S<call> <envelope>`: a call whose data is a stream, which follows. */
  streamCall: "S",
  /** `A<call> <envelope>`: its answer, and the last frame of the call. */
  answer: "A",
  /** `R<call> <envelope>`: its answer is a stream, which follows. */
  streamAnswer: "R",
  /** `I<call> <envelope>`: the next of the stream; of call 0, a message by itself. */
  item: "I",
  /** `E<call>`: the stream is complete; `E<call> <why>`: it broke off. */
  end: "E",
  /** `W<call> <bytes>`: there is room for so many more bytes of the stream. */
  room: "W",
  /** `K<call>`: no more of it: the call is cancelled, or the server wants no more of its stream. */
  cancel: "K",
  /** `G0`: the server is about to go; calls on their way are answered, and further ones shall wait for the next server. */
  goodbye: "G",
  /** `X0 {"code":…,"message":…}`: the connection is refused, and ends. */
  refusal: "X",
});

export type FrameKind = (typeof Kind)[keyof typeof Kind];

/** What a frame has besides its envelope, in bytes: the letter, the number, a blank. */
export const MAX_HEAD_BYTES = 12;

/** Frames of no envelope are short. */
const MAX_NOTE_BYTES = 4_096;

export interface FrameSink {
  /** @param body from `start` in `text` to behind its newline, at `end`; `text` is flat */
  onFrame(kind: FrameKind, call: number, text: string, start: number, end: number): void;
  /** The bytes are no frames; what follows them cannot be told from them, so no more is read. */
  onBadFrame(reason: "bad-frame" | "too-large", detail: string): void;
}

/** A piece of one byte takes a hundred to keep: so many are joined, or half a frame would take a gigabyte. */
const MAX_PARTS = 1_024;

const NEWLINE = 10;
const BLANK = 32;
const ZERO = 48;
const MAX_CALL = 0xffff_ffff;
const KINDS: ReadonlySet<string> = new Set(Object.values(Kind));

/** Finds the frames in what comes in. A frame in many pieces is joined when its end is there. */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #sink: FrameSink;
  #parts: Buffer[] = [];
  #partBytes = 0;
  #isEnded = false;
  #isAscii = true;

  constructor(maxBytes: number, sink: FrameSink) {
    this.#maxBytes = maxBytes;
    this.#sink = sink;
  }

  /** The bytes of a frame that is not complete. */
  get heldBytes(): number {
    return this.#partBytes;
  }

  /** For whoever has been told of a frame: its size in bytes. */
  bytesOf(text: string, start: number, end: number): number {
    return this.#isAscii ? end - start : Buffer.byteLength(text.slice(start, end));
  }

  push(chunk: Buffer): void {
    if (this.#isEnded) return;
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end > 0) this.#read(this.#complete(end === chunk.length ? chunk : chunk.subarray(0, end)));
    if (this.#isEnded || end === chunk.length) return;
    const rest = end === 0 ? chunk : chunk.subarray(end);
    this.#parts.push(rest);
    this.#partBytes += rest.length;
    if (this.#parts.length === MAX_PARTS) this.#parts = [Buffer.concat(this.#parts)];
    if (this.#partBytes > this.#maxBytes) this.#refuse("too-large", `a frame of more than ${this.#maxBytes} bytes`);
  }

  /** Nothing that comes is read any more. */
  end(): void {
    this.#isEnded = true;
    this.#parts = [];
    this.#partBytes = 0;
  }

  #complete(chunk: Buffer): Buffer {
    if (this.#partBytes === 0) return chunk;
    const whole = Buffer.concat([...this.#parts, chunk]);
    this.#parts = [];
    this.#partBytes = 0;
    return whole;
  }

  #read(bytes: Buffer): void {
    const text = bytes.toString("utf8");
    this.#isAscii = text.length === bytes.length;
    for (let start = 0; start < text.length && !this.#isEnded;) {
      const end = text.indexOf("\n", start) + 1;
      this.#readFrame(text, start, end);
      start = end;
    }
  }

  #readFrame(text: string, start: number, end: number): void {
    if (end - start > this.#maxBytes) return this.#refuse("too-large", `a frame of more than ${this.#maxBytes} bytes`);
    const kind = text[start] as FrameKind;
    let call = 0;
    let at = start + 1;
    for (let digit; (digit = text.charCodeAt(at) - ZERO) >= 0 && digit <= 9 && call <= MAX_CALL; at++) {
      call = call * 10 + digit;
    }
    const next = text.charCodeAt(at);
    const isWhole = at > start + 1 && call <= MAX_CALL && (next === BLANK || next === NEWLINE);
    if (!KINDS.has(kind) || !isWhole) return this.#refuse("bad-frame", "what came is no frame");
    this.#sink.onFrame(kind, call, text, next === BLANK ? at + 1 : at, end);
  }

  #refuse(reason: "bad-frame" | "too-large", detail: string): void {
    this.end();
    this.#sink.onBadFrame(reason, detail);
  }
}

/** A frame with an envelope. @param envelope with its newline */
export function frame(kind: FrameKind, call: number, envelope: string): string {
  return `${kind}${call} ${envelope}`;
}

/** A frame with a note, or with nothing. */
export function note(kind: FrameKind, call: number, text = ""): string {
  return text === "" ? `${kind}${call}\n` : `${kind}${call} ${text}\n`;
}

/** The note of a frame. */
export function noteIn(text: string, start: number, end: number): string {
  return text.slice(start, Math.min(end - 1, start + MAX_NOTE_BYTES));
}
