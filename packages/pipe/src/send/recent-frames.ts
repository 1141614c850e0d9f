/** Frames are encoded in chunks of so many bytes, or in one of their own if they are larger. */
const CHUNK_BYTES = 256 * 1024;
const BYTES_OF_CHARACTER = 3;
const NEWLINE = 0x0a;

interface Chunk {
  readonly bytes: Buffer;
  /** Of those, taken. */
  used: number;
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
  #last: Chunk = { bytes: Buffer.alloc(0), used: 0 };
  /** In all chunks but the last. */
  #before = 0;

  /** @param capacity of the pipe, in bytes */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Encodes whole frames behind those that are kept. Until `keep()` they are only there for now. @returns where they are */
  encode(text: string): { readonly bytes: Buffer; readonly start: number; readonly end: number } {
    const room = this.#last.bytes.length - this.#last.used;
    if (text.length * BYTES_OF_CHARACTER > room) {
      const length = Buffer.byteLength(text);
      if (length > room) this.#begin(length);
    }
    const { bytes, used } = this.#last;
    return { bytes, start: used, end: used + bytes.write(text, used) };
  }

  /** So many further bytes of what was encoded last are in the pipe, all of them of whole frames. */
  keep(length: number): void {
    this.#last.used += length;
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

  #begin(bytes: number): void {
    this.#before += this.#last.used;
    while (this.#chunks.length > 0 && this.#before - (this.#chunks[0] as Chunk).used >= this.#capacity) this.#drop();
    const spare = bytes <= CHUNK_BYTES ? this.#spare : undefined;
    if (spare !== undefined) this.#spare = undefined;
    this.#last = spare ?? { bytes: Buffer.allocUnsafeSlow(Math.max(bytes, CHUNK_BYTES)), used: 0 };
    this.#chunks.push(this.#last);
  }

  #drop(): void {
    const chunk = this.#chunks.shift() as Chunk;
    this.#before -= chunk.used;
    if (chunk.bytes.length > CHUNK_BYTES) return;
    chunk.used = 0;
    this.#spare = chunk;
  }
}
