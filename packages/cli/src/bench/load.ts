import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { nowNs } from "./payload.js";

/** Hands one message over. A promise resolves when it is accepted. */
export type Send = () => void | Promise<unknown>;

/**
 * Sends `count` messages, `perSecond` a second, by a schedule that is fixed at the start: who is late catches up, one message a
 * turn of the event loop. None is waited for, so that a slow one does not make the next one late and hide what that costs.
 */
export async function sendPaced(count: number, perSecond: number, send: Send): Promise<void> {
  const accepted: Promise<unknown>[] = [];
  const startMs = performance.now();
  for (let sent = 1; sent <= count; sent++) {
    const waitMs = startMs + (sent * 1_000) / perSecond - performance.now();
    // Set before the message is sent, so that setting it is not billed to what the transport does after the call.
    const turn = waitMs > 0 ? delay(Math.ceil(waitMs)) : nextTurn();
    const acceptance = send();
    if (acceptance !== undefined) accepted.push(acceptance);
    // Thrown at the end, with all the others.
    acceptance?.catch(() => undefined);
    await turn;
  }
  await Promise.all(accepted);
}

/**
 * Sends `count` messages, one every so many milliseconds at the soonest, and takes a processor for it: timers tick in milliseconds, so those
 * that are more frequent come several at once.
 */
export async function sendOneByOne(count: number, everyMs: number, send: Send): Promise<void> {
  const accepted: Promise<unknown>[] = [];
  let dueMs = 0;
  for (let sent = 0; sent < count; sent++) {
    while (performance.now() < dueMs) await nextTurn();
    dueMs = performance.now() + everyMs;
    const acceptance = send();
    if (acceptance !== undefined) accepted.push(acceptance);
    acceptance?.catch(() => undefined);
  }
  await Promise.all(accepted);
}

/** Sends for so long, as fast as messages are accepted, with at most `window` on their way. @returns how many */
export async function sendPipelined(forMs: number, window: number, send: Send): Promise<number> {
  const endMs = performance.now() + forMs;
  let count = 0;
  const slot = async () => {
    while (performance.now() < endMs) {
      count++;
      await send();
    }
  };
  await Promise.all(Array.from({ length: window }, slot));
  return count;
}

/** Does something for so long, the next when the last is done. @returns how long each took, in nanoseconds */
export async function inTurn(forMs: number, action: Send): Promise<number[]> {
  const tookNs: number[] = [];
  for (const endMs = performance.now() + forMs; performance.now() < endMs;) {
    const startNs = nowNs();
    await action();
    tookNs.push(nowNs() - startNs);
  }
  return tookNs;
}
