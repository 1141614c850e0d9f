import { Socket } from "node:net";
import type { ChannelCounters, ChannelHost, EnvelopeReader, Sender, Verdict } from "@agentbus/core";
import { Frames, type Piece, type UnfitPiece } from "./frames.js";
import { MOST, ReadAhead } from "./read-ahead.js";

/** The most that a pipe may be made to hold without a privilege (pipe(7), pipe-max-size), in bytes. */
const MAX_REST = 1024 * 1024;
/** One for all: what is read is taken out of it before anything else is read. */
const CHUNK = Buffer.allocUnsafeSlow(MOST);

/** What a pipe tells whoever takes messages from it. */
export interface IncomingPipeEvents {
  /** There is something to take, or it is finished. */
  readonly onReady: (pipe: IncomingPipe) => void;
  /** A writer has been seen: it is no dead sender's. */
  readonly onAlive: (pipe: IncomingPipe) => void;
}

/** Something that a pipe brought: a judged envelope, or what is none. */
export type Item = Verdict | ({ readonly kind: "unfit" } & UnfitPiece);

/** One FIFO that is read: by Node's event loop, not by a thread, and only as far as its messages are taken. */
export class IncomingPipe {
  readonly sender: Sender;
  readonly counters: ChannelCounters;
  /** In the drop box, as long as it is there. */
  readonly name: string;
  isAlive = false;
  /** Of the line that was taken last. */
  takenCharacters = 0;
  readonly #host: ChannelHost;
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #reader: EnvelopeReader;
  readonly #frames: Frames;
  readonly #events: IncomingPipeEvents;
  readonly #ahead = new ReadAhead();
  #pieces: Piece[] = [];
  /** In the first piece. */
  #at = 0;
  /** A verdict that had to be waited for. */
  #decided: Item | undefined;
  #isDeciding = false;
  /** Nothing more is read before all of that is taken. */
  #isPaused = false;
  #isStopped = false;
  #hasEnded = false;

  /** @param fd non-blocking; this closes it */
  constructor(host: ChannelHost, fd: number, name: string, sender: Sender, events: IncomingPipeEvents) {
    this.#host = host;
    this.#fd = fd;
    this.name = name;
    this.sender = sender;
    this.#events = events;
    this.#reader = host.envelopesFrom(sender);
    this.#frames = new Frames(host.spool.limits.maxEnvelopeBytes);
    this.counters = host.show({ kind: "pipe", role: "receiver", peer: sender.user });
    const callback = (length: number, bytes: Uint8Array) => this.#read(length, bytes);
    // The types know of `onread` in connect() only; the constructor is where it is read (lib/net.js).
    const buffer = () => CHUNK.subarray(0, this.#next);
    const options = { fd, readable: true, writable: false, onread: { buffer, callback } };
    this.#socket = new Socket(options);
    this.#socket.on("end", () => this.#end());
    this.#socket.on("error", () => this.#end());
    this.#socket.on("close", () => this.#end());
  }

  /** Whether it has something to take now. */
  get isReady(): boolean {
    return this.#decided !== undefined || (!this.#isDeciding && this.#pieces.length > 0);
  }

  /** Whether all that was read is taken. */
  get isEmpty(): boolean {
    return !this.isReady && !this.#isDeciding;
  }

  /** Whether nothing will come any more. */
  get isFinished(): boolean {
    return this.#hasEnded && this.isEmpty;
  }

  /** Looks whether there is a writer, where that is not known yet. */
  probe(): void {
    if (this.isAlive || this.#hasEnded || this.#isStopped) return;
    try {
      const length = this.#host.fileSystem.read(this.#fd, CHUNK, 0, this.#next, null);
      if (length > 0) this.#read(length, CHUNK);
    } catch (error) {
      // Nothing to read, but somebody who may write: without one, this would be the end.
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") this.#setAlive();
    }
  }

  /** The next message or refusal. @returns undefined where there is none: a blank line, or one that has to be waited for */
  take(): Item | undefined {
    const decided = this.#decided;
    if (decided !== undefined) {
      this.#decided = undefined;
      return decided;
    }
    const piece = this.#pieces[0];
    if (piece === undefined) return undefined;
    if (!("text" in piece)) {
      this.#endPiece();
      return { kind: "unfit", ...piece };
    }
    const { text } = piece;
    const start = this.#at;
    const end = text.indexOf("\n", start) + 1;
    const verdict = this.#reader.read(text, start, end);
    this.takenCharacters = end - start;
    this.counters.bytes += this.takenCharacters;
    this.#at = end;
    if (end === text.length) this.#endPiece();
    if (!(verdict instanceof Promise)) return verdict;
    void this.#decide(verdict);
    return undefined;
  }

  /** Reads what is in the pipe by now, and no further. What is read can still be taken. */
  stop(): void {
    if (this.#isStopped) return;
    this.#socket.pause();
    if (!this.#hasEnded) this.#readRest();
    this.#isStopped = true;
    if (this.isReady) this.#events.onReady(this);
  }

  /** Its sender may be gone, and then nobody would send it again. One who is not, and goes on sending, does send again what is left. */
  #readRest(): void {
    try {
      for (let total = 0; total < MAX_REST;) {
        const length = this.#host.fileSystem.read(this.#fd, CHUNK, 0, CHUNK.length, null);
        const rest = length === 0 ? this.#frames.end() : undefined;
        if (rest !== undefined) this.#pieces.push(rest);
        if (length === 0) return;
        for (const piece of this.#frames.add(CHUNK.subarray(0, length))) this.#pieces.push(piece);
        total += length;
      }
    } catch {
      // EAGAIN: that was all, and its sender is there.
    }
  }

  close(): void {
    this.#isStopped = true;
    this.#pieces = [];
    this.#socket.destroy();
    this.counters.close();
  }

  async #decide(verdict: Promise<Verdict>): Promise<void> {
    this.#isDeciding = true;
    try {
      this.#decided = await verdict;
    } finally {
      this.#isDeciding = false;
      this.#events.onReady(this);
    }
  }

  #endPiece(): void {
    this.#pieces.shift();
    this.#at = 0;
    if (this.#pieces.length > 0) return;
    this.#ahead.taken();
    if (!this.#isPaused || this.#isStopped) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  /** How much to read at the most: the rest of a long line at one go. */
  get #next(): number {
    const { bytes } = this.#ahead;
    return this.#frames.held >= bytes ? MOST : bytes;
  }

  /** @returns whether to read on */
  #read(length: number, bytes: Uint8Array): boolean {
    if (this.#isStopped) return false;
    this.#setAlive();
    this.#ahead.read(length);
    for (const piece of this.#frames.add(Buffer.from(bytes.buffer, bytes.byteOffset, length))) this.#pieces.push(piece);
    this.#isPaused = this.#pieces.length > 0;
    if (this.isReady) this.#events.onReady(this);
    // Some of it may have been taken at once.
    return !this.#isPaused;
  }

  #setAlive(): void {
    if (this.isAlive) return;
    this.isAlive = true;
    this.#events.onAlive(this);
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#socket.destroy();
    this.counters.close();
    const rest = this.#isStopped ? undefined : this.#frames.end();
    if (rest !== undefined) this.#pieces.push(rest);
    this.#events.onReady(this);
  }
}
