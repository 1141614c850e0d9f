import { Slots, type Slotted } from "../slots.js";
import type { Sender } from "./judge.js";

/** A message that has been handed out. */
interface HandedOut extends Slotted {
  readonly sender: Sender;
  readonly envelope: { readonly id: string };
}

/**
 * Messages that have been handed out and are not settled. To be looked for costs a look at all of them, which is for those whose id is
 * not the latest.
 */
export class InWork extends Slots<HandedOut> {
  /** An id is its sender's own: two accounts may use the same. */
  has(uid: number, id: string): boolean {
    return this.some(({ sender, envelope }) => envelope.id === id && sender.uid === uid);
  }
}
