import type { Socket } from "node:net";
import type { Budget, Pausable } from "./budget.js";
import { FrameReader, type FrameSink } from "./frame-reader.js";
import { Kind, note } from "./frames.js";

export interface ConnectionOptions {
  readonly maxFrameBytes: number;
  /** What its peer's account may hold of this process's memory. */
  readonly budget: Budget;
  /** A peer that takes nothing for so long while something waits for it has the connection ended, in milliseconds. */
  readonly stallMs: number;
}

export interface ConnectionOwner extends FrameSink {
  /** It is over; called once. @param error the system's, where there is one @param isTruncated in the middle of a frame */
  onEnd(error: Error | undefined, isTruncated: boolean): void;
}

/** From so many bytes on that the peer has not taken, nothing more is read from it. */
const CONGESTED_BYTES = 1024 * 1024;
/** How long a peer may take to close its side when this one is done, in milliseconds. */
const CLOSE_MS = 1_000;

const SETTLED = Promise.resolve();

/**
 * One connection, as both of its ends use it. What is sent in one go is written in one: a reply to each of the fifty calls in a chunk
 * costs one system call.
 */
export class Connection implements Pausable {
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #options: ConnectionOptions;
  readonly #reader: FrameReader;
  #out = "";
  #isFlushing = false;
  #isEnding = false;
  #isOver = false;
  #heldBytes = 0;
  #pauses = 0;
  #isWaiting = false;
  #isCongested = false;
  #error: Error | undefined;
  #stall: NodeJS.Timeout | undefined;
  #drained: (() => void)[] = [];
  /** Resolves when it is over. */
  readonly ended: Promise<void>;
  #finish!: () => void;
  readonly #flush = () => this.#flushNow();

  constructor(socket: Socket, options: ConnectionOptions, owner: ConnectionOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.#options = options;
    this.#reader = new FrameReader(options.maxFrameBytes, owner);
    this.ended = new Promise((resolve) => (this.#finish = resolve));
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("drain", () => this.#onDrain());
    socket.on("error", (error) => (this.#error = error));
    socket.on("close", () => this.#onClose());
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The peer does not keep up: whoever can wait does. */
  get isCongested(): boolean {
    return this.#isCongested && !this.#isOver;
  }

  /** What comes from the peer waits for something here. */
  get isPaused(): boolean {
    return this.#pauses > 0;
  }

  /** Something waits for the peer to take it. */
  get hasUnsent(): boolean {
    return this.#out !== "" || this.#socket.writableLength > 0;
  }

  /** What the peer has sent and taken, in bytes. */
  get bytesThrough(): number {
    return this.#socket.bytesRead + this.#socket.bytesWritten - this.#socket.writableLength;
  }

  /** For whoever has been told of a frame: its size in bytes. */
  bytesOf(text: string, start: number, end: number): number {
    return this.#reader.bytesOf(text, start, end);
  }

  /** Hands frames over to be written, at once or with what else is sent in this turn. */
  send(frames: string): void {
    this.#out = this.#out === "" ? frames : this.#out + frames;
    // What is in one chunk may ask for a thousand times its size.
    if (this.#out.length >= CONGESTED_BYTES) this.#flushNow();
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    // queueMicrotask() makes a resource for async_hooks each time; #flushNow() never throws.
    void SETTLED.then(this.#flush);
  }

  /** Tells the peer that there is room for so many more bytes of its stream. */
  grant(call: number, bytes: number): void {
    if (!this.#isOver) this.send(note(Kind.room, call, String(bytes)));
  }

  /** Resolves when the peer keeps up again, or the connection is over. */
  whenClear(): Promise<void> {
    if (!this.isCongested) return SETTLED;
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  /** Reads no more until `resume()` was called as often. */
  pause(): void {
    this.#pauses++;
    this.#socket.pause();
  }

  resume(): void {
    if (--this.#pauses === 0 && !this.#isCongested) this.#socket.resume();
  }

  /**
   * Tells of no further frame, and reads nothing more, until then.
   * @param settled never rejects; one at a time @param again whether the frame that is being told of is told of once more
   */
  wait(settled: Promise<void>, again = false): void {
    this.#reader.hold(again);
    // Several frames may wait one after the other before anything is read again.
    if (!this.#isWaiting) this.pause();
    this.#isWaiting = true;
    void settled.then(() => this.#goOn());
  }

  /** Resolves when the kernel has taken all that was sent, or the connection is over. */
  flushed(): Promise<void> {
    this.#flushNow();
    if (this.#isOver || this.#socket.writableLength === 0) return SETTLED;
    return new Promise((resolve) => {
      this.#socket.write("", () => resolve());
      void this.ended.then(resolve);
    });
  }

  /** Writes what was sent, and closes. Nothing more is read. */
  end(): void {
    if (this.#isOver || this.#isEnding) return;
    this.#isEnding = true;
    this.#reader.end();
    this.#flushNow();
    this.#socket.end();
    // To read, and to drop, is what lets the peer's own end arrive.
    this.#socket.resume();
    setTimeout(() => this.#socket.destroy(), CLOSE_MS).unref();
  }

  /** Closes now. */
  destroy(): void {
    this.#socket.destroy();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  #receive(chunk: Buffer): void {
    this.#reader.push(chunk);
    this.#accountForHeld();
  }

  #goOn(): void {
    if (this.#isOver) return;
    this.#reader.goOn();
    this.#accountForHeld();
    if (this.#reader.isHeld) return;
    this.#isWaiting = false;
    this.resume();
  }

  #accountForHeld(): void {
    const held = this.#reader.heldBytes;
    if (held === this.#heldBytes) return;
    const { budget } = this.#options;
    if (held > this.#heldBytes) budget.take(held - this.#heldBytes, this);
    else budget.give(this.#heldBytes - held);
    this.#heldBytes = held;
  }

  #flushNow(): void {
    this.#isFlushing = false;
    const out = this.#out;
    if (out === "" || this.#isOver) return;
    this.#out = "";
    this.#socket.write(out, "utf8");
    if (this.#socket.writableLength === 0 || this.#stall !== undefined) {
      if (this.#stall !== undefined) this.#lookAtCongestion();
      return;
    }
    this.#watchForStall();
    this.#lookAtCongestion();
  }

  #lookAtCongestion(): void {
    if (this.#isCongested || this.#socket.writableLength < CONGESTED_BYTES) return;
    this.#isCongested = true;
    this.#socket.pause();
  }

  /** Whether any of what waits has gone is looked at from time to time; it need not be all. */
  #watchForStall(): void {
    let before = this.#socket.bytesWritten - this.#socket.writableLength;
    this.#stall = setInterval(() => {
      const waiting = this.#socket.writableLength;
      if (waiting === 0) return this.#stopWatching();
      const taken = this.#socket.bytesWritten - waiting;
      if (taken === before) this.#socket.destroy(new Error(`the peer took nothing for ${this.#options.stallMs} ms`));
      before = taken;
    }, this.#options.stallMs);
    this.#stall.unref();
  }

  #stopWatching(): void {
    clearInterval(this.#stall);
    this.#stall = undefined;
  }

  #onDrain(): void {
    this.#stopWatching();
    if (!this.#isCongested) return;
    this.#isCongested = false;
    if (this.#pauses === 0) this.#socket.resume();
    for (const wake of this.#drained.splice(0)) wake();
  }

  #onClose(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopWatching();
    const isTruncated = this.#reader.isWithinFrame;
    this.#reader.end();
    this.#options.budget.give(this.#heldBytes);
    this.#options.budget.forget(this);
    this.#heldBytes = 0;
    for (const wake of this.#drained.splice(0)) wake();
    this.#owner.onEnd(this.#error, isTruncated);
    this.#finish();
  }
}
