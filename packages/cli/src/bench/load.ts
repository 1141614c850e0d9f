import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { nowNs } from "./payload.js";

/** Hands one message over. A promise resolves when it is accepted. */
export type Send = () => void | Promise<unknown>;

/**
 * Sends `count` messages, `perSecond` a second, by a schedule that is fixed at the start: who is late catches up, one message a
 * turn of the event loop. None is waited for, so that a slow one does not make the next one late and hide what that costs.
 */
export async function sendPaced(count: number, perSecond: number, send: Send): Promise<void> {
  const startMs = performance.now();
  await sendEach(count, send, (sent) => {
    const waitMs = startMs + (sent * 1_000) / perSecond - performance.now();
    return waitMs > 0 ? delay(Math.ceil(waitMs)) : nextTurn();
  });
}

/**
 * Sends `count` messages, one every so many milliseconds at the soonest, and takes a processor for it: timers tick in milliseconds, so what
 * is more frequent than that comes several at once.
 */
export async function sendOneByOne(count: number, everyMs: number, send: Send): Promise<void> {
  await sendEach(count, send, () => turnAt(performance.now() + everyMs));
}

/** @param turnAfter resolves when the next one is due; called with the number of each message, from 1, before that is sent */
async function sendEach(count: number, send: Send, turnAfter: (sent: number) => Promise<void>): Promise<void> {
  const accepted: Promise<unknown>[] = [];
  for (let sent = 1; sent <= count; sent++) {
    // Before the message is sent, so that setting a timer is not billed to what the transport does after the call.
    const turn = turnAfter(sent);
    const acceptance = send();
    if (acceptance !== undefined) accepted.push(acceptance);
    // Thrown at the end, with all the others.
    acceptance?.catch(() => undefined);
    await turn;
  }
  await Promise.all(accepted);
}

async function turnAt(dueMs: number): Promise<void> {
  while (performance.now() < dueMs) await nextTurn();
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
