import type { Connection } from "./connection.js";
import type { FrameKind } from "./frames.js";

/**
 * Keeps frames in order around one that has to wait, for a topic's schema to be read or for its client to take answers: those that came with it wait behind it, and
 * nothing more is read meanwhile.
 */
export class LateFrames {
  readonly #connection: Connection;
  readonly #onFrame: (kind: FrameKind, call: number, text: string) => void;
  readonly #held: { readonly kind: FrameKind; readonly call: number; readonly text: string }[] = [];
  #isWaiting = false;

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
    this.#connection.pause();
    void settled.finally(() => this.#goOn());
  }

  #goOn(): void {
    this.#isWaiting = false;
    const held = this.#held.splice(0);
    if (this.#connection.isOver) return;
    // One of them may have to wait again; then the rest is held again, in order.
    for (const { kind, call, text } of held) {
      if (this.#isWaiting) this.#held.push({ kind, call, text });
      else this.#onFrame(kind, call, text);
    }
    if (!this.#isWaiting) this.#connection.resume();
  }
}
