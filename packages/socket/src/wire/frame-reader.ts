import { Kind, type FrameKind } from "./frames.js";

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

/**
 * Finds the frames in what comes in. A frame in many pieces is joined when its end is there. Frames that have to wait stay the text that
 * they came in: to keep each for itself would take a hundred times the memory of the shortest.
 */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #sink: FrameSink;
  #parts: Buffer[] = [];
  #partBytes = 0;
  /** Whole frames: those from `#next` on have not been told of. */
  #text = "";
  #start = 0;
  #next = 0;
  #isHeld = false;
  #isEnded = false;
  #isAscii = true;

  constructor(maxBytes: number, sink: FrameSink) {
    this.#maxBytes = maxBytes;
    this.#sink = sink;
  }

  /** What is kept here, in bytes: frames that wait, and the beginning of one. */
  get heldBytes(): number {
    return this.#partBytes + this.#text.length - this.#next;
  }

  /** Whether the last frame is not complete. */
  get isWithinFrame(): boolean {
    return this.#partBytes > 0;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** For whoever has been told of a frame: its size in bytes. */
  bytesOf(text: string, start: number, end: number): number {
    return this.#isAscii ? end - start : Buffer.byteLength(text.slice(start, end));
  }

  /** Not to be called while it is held. */
  push(chunk: Buffer): void {
    if (this.#isEnded) return;
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    const frames = end === 0 ? undefined : this.#complete(end === chunk.length ? chunk : chunk.subarray(0, end));
    const rest = end === chunk.length ? undefined : chunk.subarray(end);
    if (rest !== undefined) this.#keep(rest);
    if (frames !== undefined) this.#read(frames);
    if (this.#partBytes > this.#maxBytes) this.#refuse("too-large", `a frame of more than ${this.#maxBytes} bytes`);
  }

  /** Tells of no further frame before `goOn()`. @param again whether the one that is being told of is told of once more then */
  hold(again: boolean): void {
    this.#isHeld = true;
    if (again) this.#next = this.#start;
  }

  goOn(): void {
    this.#isHeld = false;
    this.#tell();
  }

  /** Nothing that comes is read any more. */
  end(): void {
    this.#isEnded = true;
    this.#parts = [];
    this.#partBytes = 0;
    this.#text = "";
    this.#next = 0;
  }

  #complete(chunk: Buffer): Buffer {
    if (this.#partBytes === 0) return chunk;
    const whole = Buffer.concat([...this.#parts, chunk]);
    this.#parts = [];
    this.#partBytes = 0;
    return whole;
  }

  #keep(part: Buffer): void {
    this.#parts.push(part);
    this.#partBytes += part.length;
    if (this.#parts.length === MAX_PARTS) this.#parts = [Buffer.concat(this.#parts)];
  }

  #read(bytes: Buffer): void {
    this.#text = bytes.toString("utf8");
    this.#isAscii = this.#text.length === bytes.length;
    this.#next = 0;
    this.#tell();
  }

  #tell(): void {
    const text = this.#text;
    while (this.#next < text.length && !this.#isHeld && !this.#isEnded) {
      this.#start = this.#next;
      this.#next = text.indexOf("\n", this.#start) + 1;
      this.#readFrame(text, this.#start, this.#next);
    }
    if (this.#next < text.length || this.#isEnded) return;
    this.#text = "";
    this.#next = 0;
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
