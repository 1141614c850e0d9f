import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";

/**
 * Calls `action` `count` times, `perSecond` a second, by a schedule that is fixed at the start: who is late catches up, one call
 * for each turn of the event loop, so that nothing is sent in bursts that share a turn.
 *
 * Node's timers tick in milliseconds, so calls come up to one late; above 1,000 a second several follow one tick. The timer for
 * the next call is set before each call, so that this work is not billed to a transport that sends after the call returned.
 */
export async function paced(count: number, perSecond: number, action: () => void): Promise<void> {
  const startMs = performance.now();
  for (let call = 1; call <= count; call++) {
    const waitMs = startMs + (call * 1_000) / perSecond - performance.now();
    const turn = waitMs > 0 ? delay(Math.ceil(waitMs)) : nextTurn();
    action();
    await turn;
  }
}
