import { openForeign } from "../bounded-read.js";
import type { Envelope } from "../envelope.js";
import { closeQuietly, type Path } from "../file-system.js";
import { isNestedTooDeeply } from "../nesting.js";
import type { Spool } from "../spool.js";
import {
  completeLines,
  MAX_ENVELOPES_PER_FILE,
  maxFileBytes,
  NEWLINE,
  REPLACEMENT,
  unfitByError,
  unvouched,
  type LoadedEnvelope,
  type UnfitLoad,
} from "./load.js";
import { PlainLines, type LinePattern } from "./plain-lines.js";

/** Read at once, in bytes. */
const CHUNK_BYTES = 128 * 1024;

/** A line that was read and is still to be passed. */
export interface PeekedLine {
  readonly envelope: Envelope;
  readonly bytes: number;
}

/** A message file that is read while it grows, through one descriptor, so it stays the file that was judged. */
export class StreamReader {
  /** The owner of the inode: who speaks. */
  readonly uid: number;
  /** When its owner had last written to it when it was opened. In ms since 1970. */
  readonly writtenMs: number;
  readonly #spool: Spool;
  readonly #fd: number;
  readonly #plain = new PlainLines();
  #length = 0;
  #count = 0;
  /** The beginning of a line, in pieces: one without an end must not be copied anew with each of them. */
  readonly #rest: Buffer[] = [];
  #isEnded = false;
  #isAtEnd = false;
  #isClosed = false;

  private constructor(spool: Spool, fd: number, stat: { readonly uid: number; readonly mtimeMs: number }) {
    this.#spool = spool;
    this.#fd = fd;
    this.uid = stat.uid;
    this.writtenMs = stat.mtimeMs;
  }

  /** @throws the system's error when the file is not to blame */
  static open(spool: Spool, path: Path): StreamReader | UnfitLoad {
    try {
      const { fd, stat } = openForeign(spool.fileSystem, path, maxFileBytes(spool));
      const unfit = unvouched(spool, stat);
      if (unfit === undefined) return new StreamReader(spool, fd, stat);
      closeQuietly(spool.fileSystem, fd);
      return unfit;
    } catch (error) {
      return unfitByError(error);
    }
  }

  /** True when it has become larger than a message file may be: the rest of it is nobody's message. */
  get isOverlong(): boolean {
    return this.#length >= maxFileBytes(this.#spool) || this.#count >= MAX_ENVELOPES_PER_FILE;
  }

  /** Its publisher has said that nothing more comes, and everything before that has been read. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** The last read got less than it asked for: what is added from then on is told of by an event that comes after it. */
  get isAtEnd(): boolean {
    return this.#isAtEnd;
  }

  /** Whether its publisher has said so, though all of it may still be to be read. @throws the system's error */
  willNotGrow(): boolean {
    const { fileSystem } = this.#spool;
    const { size } = fileSystem.fstat(this.#fd);
    if (size < END.length || fileSystem.read(this.#fd, CHUNK, 0, END.length, size - END.length) < END.length)
      return false;
    return CHUNK.subarray(0, END.length).equals(END);
  }

  /** What has been added since the last call: a chunk of it, so an empty answer says that there is no more. @throws the system's error */
  read(): LoadedEnvelope[] {
    for (;;) {
      if (this.#isClosed || this.#isEnded || this.isOverlong) return [];
      const room = Math.min(CHUNK_BYTES, maxFileBytes(this.#spool) - this.#length);
      const read = this.#spool.fileSystem.read(this.#fd, CHUNK, 0, room, this.#length);
      this.#isAtEnd = read < room;
      if (read === 0) return [];
      this.#length += read;
      // Usually what is read ends where a line does.
      const complete = CHUNK[read - 1] === NEWLINE ? read : CHUNK.lastIndexOf(NEWLINE, read - 1) + 1;
      const envelopes = complete === 0 ? [] : this.#lines(complete);
      if (complete < read) this.#rest.push(Buffer.from(CHUNK.subarray(complete, read)));
      if (envelopes.length > 0) return envelopes;
    }
  }

  /** What the next plain line goes by (plain-lines.ts). */
  get pattern(): LinePattern {
    return this.#plain.pattern;
  }

  /**
   * What has been added, if that is one line and a plain one, small enough to be delivered. It is left for `skip()`, or for `read()`.
   * @throws the system's error
   */
  peekPlain(): PeekedLine | undefined {
    if (this.#isClosed || this.#isEnded || this.isOverlong || this.#rest.length > 0) return undefined;
    const room = Math.min(CHUNK_BYTES, maxFileBytes(this.#spool) - this.#length);
    const bytes = this.#spool.fileSystem.read(this.#fd, PEEKED, 0, room, this.#length);
    if (bytes === 0 || bytes === room || bytes > this.#spool.limits.maxEnvelopeBytes) return undefined;
    const short = bytes <= SHORT_BYTES ? this.#plain.readAlone(PEEKED, bytes) : undefined;
    const envelope = short ?? this.#readLong(bytes);
    return envelope && { envelope, bytes };
  }

  /** What is long, or not ASCII, is looked through by Node's own functions, which begin slowly and then are fast. */
  #readLong(bytes: number): Envelope | undefined {
    const raw = peekedText(bytes);
    const isLine = raw.indexOf("\n") === raw.length - 1 && !raw.includes(REPLACEMENT);
    return isLine && !isNestedTooDeeply(raw) ? this.#plain.read(raw, 0, raw.length) : undefined;
  }

  /** How many messages have been read: the place of the next one in the file. */
  get count(): number {
    return this.#count;
  }

  /** Reads on behind the line that was peeked. @param bytes of it */
  skip(bytes: number): void {
    this.#length += bytes;
    this.#count++;
    this.#isAtEnd = true;
  }

  /** What has been read up to here, as envelopes. @param length of the part that is in the chunk */
  #lines(length: number): LoadedEnvelope[] {
    let bytes = CHUNK;
    if (this.#rest.length > 0) {
      bytes = Buffer.concat([...this.#rest.splice(0), CHUNK.subarray(0, length)]);
      length = bytes.length;
    }
    const { envelopes, isEnded } = completeLines(bytes, length, this.#count, this.#plain);
    this.#count += envelopes.length;
    this.#isEnded = isEnded;
    return envelopes;
  }

  close(): void {
    if (!this.#isClosed) closeQuietly(this.#spool.fileSystem, this.#fd);
    this.#isClosed = true;
  }
}

/** The end of the last line, and an empty one. */
const END = Buffer.from("\n\n");

/** For whoever reads at the moment: nothing is kept in it. */
const CHUNK = Buffer.allocUnsafeSlow(CHUNK_BYTES);
/** What was peeked last, of all streams of this process. */
const PEEKED = Buffer.allocUnsafeSlow(CHUNK_BYTES);

/** The line that was peeked last, with its newline; until the next one is. */
export function peekedText(bytes: number): string {
  return PEEKED.toString("utf8", 0, bytes);
}

const SHORT_BYTES = 4_096;
