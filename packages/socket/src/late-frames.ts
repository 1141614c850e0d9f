import type { Connection } from "./connection.js";
import type { FrameKind } from "./frames.js";

interface Held {
  readonly kind: FrameKind;
  readonly call: number;
  readonly text: string;
}

/**
 * Keeps frames in order around one that has to wait, for a topic's schema to be read or for its client to take answers: those that came with it wait behind it, and
 * nothing more is read meanwhile.
 */
export class LateFrames {
  readonly #connection: Connection;
  readonly #onFrame: (kind: FrameKind, call: number, text: string) => void;
  #held: Held[] = [];
  #isWaiting = false;
  #isPaused = false;

  constructor(connection: Connection, onFrame: (kind: FrameKind, call: number, text: string) => void) {
    this.#connection = connection;
    this.#onFrame = onFrame;
  }

  /** @returns whether the frame has to wait for one before it, and will be told of again */
  holds(kind: FrameKind, call: number, text: string, start: number, end: number): boolean {
    if (!this.#isWaiting) return false;
    this.#held.push({ kind, call, text: text.slice(start, end) });
    return true;
  }

  /** The frames that follow wait for it. @param settled never rejects */
  after(settled: Promise<void>): void {
    this.#isWaiting = true;
    // Several may wait one after the other before it is read again.
    if (!this.#isPaused) this.#connection.pause();
    this.#isPaused = true;
    void settled.finally(() => this.#goOn());
  }

  #goOn(): void {
    this.#isWaiting = false;
    const held = this.#held;
    this.#held = [];
    if (this.#connection.isOver) return;
    // One of them may have to wait again; then the rest is held again, in order.
    let next = 0;
    while (next < held.length && !this.#isWaiting) {
      const { kind, call, text } = held[next++] as Held;
      this.#onFrame(kind, call, text);
    }
    if (next < held.length) this.#held = this.#held.concat(held.slice(next));
    if (this.#isWaiting) return;
    this.#isPaused = false;
    this.#connection.resume();
  }
}
