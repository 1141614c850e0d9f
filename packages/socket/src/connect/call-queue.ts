import { backlog } from "../stream/outlet.js";
import type { PendingCall } from "./pending-call.js";

/** Calls that may wait, in characters of their envelopes. One may always. */
const MAX_QUEUED = 64 * 1024 * 1024;

/** Calls that wait for a connection, or for others to be answered. */
export class CallQueue {
  #calls: PendingCall[] = [];
  #length = 0;

  get isEmpty(): boolean {
    return this.#calls.length === 0;
  }

  /** @throws BusError ERR_BACKLOG */
  add(call: PendingCall): void {
    if (!this.isEmpty && this.#length + call.text.length > MAX_QUEUED) throw backlog();
    this.#calls.push(call);
    this.#length += call.text.length;
  }

  /** Before all others. */
  putBack(calls: readonly PendingCall[]): void {
    this.#calls = [...calls, ...this.#calls];
    for (const { text } of calls) this.#length += text.length;
  }

  shift(): PendingCall | undefined {
    const call = this.#calls.shift();
    if (call !== undefined) this.#length -= call.text.length;
    return call;
  }

  /** @returns whether it was there */
  remove(call: PendingCall): boolean {
    const at = this.#calls.indexOf(call);
    if (at === -1) return false;
    this.#calls.splice(at, 1);
    this.#length -= call.text.length;
    return true;
  }

  takeAll(): PendingCall[] {
    this.#length = 0;
    return this.#calls.splice(0);
  }
}
