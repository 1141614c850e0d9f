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

const WARM_UP_SPEED = 2;
/** Node's timers tick in milliseconds. */
const ONE_A_TICK = 1_000;

/**
 * Warming up is faster than what is measured, since nobody likes to wait, but only as fast as messages still come one by one where those
 * that are measured do: several at once may go another way through a transport, and then V8 has compiled that way and not the one that is
 * measured. In messages a second.
 */
export function warmUpPace(perSecond: number): number {
  return Math.max(perSecond, Math.min(perSecond * WARM_UP_SPEED, ONE_A_TICK));
}
