import type { EnvelopeRoom } from "@agentbus/core";

/** Frames are encoded in chunks of so many bytes, or in one of their own if they are larger. */
const CHUNK_BYTES = 256 * 1024;
/** A chunk that has less is left, with that much unused. */
const SHORT_BYTES = 16 * 1024;
const BYTES_OF_CHARACTER = 3;
const NEWLINE = 0x0a;

interface Chunk extends EnvelopeRoom {
  /** Up to here it is kept; what is between this and the end is not in the pipe yet. */
  used: number;
}

/** Bytes of whole frames. */
export interface Frames {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * The bytes that a pipe may still hold: the last ones that went in, at least as many as it holds, and from the beginning of a frame. They are
 * encoded where they are kept, and not on the heap: there, half a second's messages would be garbage that outlived its youth.
 */
export class RecentFrames {
  readonly #capacity: number;
  /** The oldest first; the last one is filled. */
  readonly #chunks: Chunk[] = [];
  /** Whose frames are all out of the pipe. */
  #spare: Chunk | undefined;
  #last = chunkOf(0);
  /** In all chunks but the last. */
  #before = 0;

  /** @param capacity of the pipe, in bytes */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Where frames may be composed, behind those that are kept and those that are not in the pipe yet. */
  get room(): EnvelopeRoom {
    return this.#last;
  }

  get isShort(): boolean {
    return this.#last.bytes.length - this.#last.end < SHORT_BYTES;
  }

  /** Begins another chunk; to be called when all that was before is in the pipe. */
  begin(bytes = CHUNK_BYTES): void {
    this.#before += this.#last.used;
    while (this.#chunks.length > 0 && this.#before - (this.#chunks[0] as Chunk).used >= this.#capacity) this.#drop();
    const spare = bytes <= CHUNK_BYTES ? this.#spare : undefined;
    if (spare !== undefined) this.#spare = undefined;
    this.#last = spare ?? chunkOf(Math.max(bytes, CHUNK_BYTES));
    this.#chunks.push(this.#last);
  }

  /** What was encoded or composed, and is not in the pipe. */
  get unsent(): Frames {
    const { bytes, used, end } = this.#last;
    return { bytes, start: used, end };
  }

  get unsentBytes(): number {
    return this.#last.end - this.#last.used;
  }

  /** Encodes whole frames behind those that are kept; to be called when all that was before is in the pipe. */
  encode(text: string): void {
    const room = this.#last.bytes.length - this.#last.used;
    if (text.length * BYTES_OF_CHARACTER > room) {
      const length = Buffer.byteLength(text);
      if (length > room) this.begin(length);
    }
    this.#last.end = this.#last.used + this.#last.bytes.write(text, this.#last.used);
  }

  /** So many of the bytes that were unsent are in the pipe, all of them of whole frames. */
  keep(length: number): void {
    this.#last.used += length;
  }

  /** Of what is unsent, all but the first bytes is not to be sent from here. */
  forgetAllBut(length: number): void {
    this.#last.end = this.#last.used + length;
  }

  /** The last `count` frames, the oldest first; fewer when there are not so many. */
  last(count: number): string[] {
    if (count === 0) return [];
    const bytes = Buffer.concat(this.#chunks.map((chunk) => chunk.bytes.subarray(0, chunk.used)));
    const frames: string[] = [];
    for (let end = bytes.length; end > 0 && frames.length < count;) {
      const start = end === 1 ? 0 : bytes.lastIndexOf(NEWLINE, end - 2) + 1;
      frames.push(bytes.toString("utf8", start, end));
      end = start;
    }
    return frames.reverse();
  }

  #drop(): void {
    const chunk = this.#chunks.shift() as Chunk;
    this.#before -= chunk.used;
    if (chunk.bytes.length > CHUNK_BYTES) return;
    chunk.used = chunk.end = 0;
    this.#spare = chunk;
  }
}

function chunkOf(length: number): Chunk {
  const bytes = Buffer.allocUnsafeSlow(length);
  return { bytes, words: new Int32Array(bytes.buffer, 0, length >> 2), end: 0, used: 0 };
}
