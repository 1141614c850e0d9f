import type { Sender } from "./judge.js";

/** A message that has been handed out. */
interface HandedOut {
  readonly sender: Sender;
  readonly envelope: { readonly id: string };
  /** Its place in here. */
  slot: number;
}

/**
 * Messages that have been handed out and are not settled.
 *
 * To come and to go costs next to nothing, since every message does; to be looked for costs a look at all of them, which is
 * for those whose id is not the latest.
 */
export class InWork {
  readonly #all: HandedOut[] = [];

  add(message: HandedOut): void {
    message.slot = this.#all.push(message) - 1;
  }

  delete(message: HandedOut): void {
    if (this.#all[message.slot] !== message) return;
    const last = this.#all.pop() as HandedOut;
    if (last === message) return;
    this.#all[message.slot] = last;
    last.slot = message.slot;
  }

  /** An id is its sender's own: two accounts may use the same. */
  has(uid: number, id: string): boolean {
    return this.#all.some(({ sender, envelope }) => envelope.id === id && sender.uid === uid);
  }
}
