import { setImmediate as nextTurn } from "node:timers/promises";

/** What is sent without a promise of its own is flushed so often. */
const FLUSH_EVERY = 256;

/**
 * Sends `count` messages as fast as they are accepted, with at most `window` of them not accepted yet. When the window is full,
 * sending goes on once half of it is free, after a turn of the event loop: a program that sends much also wants to hear of other things.
 * @param send as `SendingEnd.send` @param flush as `SendingEnd.flush`
 */
export async function pipelined(
  count: number,
  window: number,
  send: () => void | Promise<unknown>,
  flush?: () => Promise<unknown>,
): Promise<void> {
  let inFlight = 0;
  let unflushed = 0;
  let wake:
    { readonly atMost: number; readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;
  let failure: { readonly error: unknown } | undefined;

  const accepted = (messages: number) => {
    inFlight -= messages;
    if (wake !== undefined && inFlight <= wake.atMost) wake.resolve();
  };
  const failed = (error: unknown) => {
    failure ??= { error };
    wake?.reject(error);
  };
  const until = async (atMost: number) => {
    if (failure !== undefined) throw failure.error;
    if (inFlight > atMost) await new Promise<void>((resolve, reject) => (wake = { atMost, resolve, reject }));
    wake = undefined;
  };
  const flushNow = () => {
    const messages = unflushed;
    unflushed = 0;
    flush?.().then(() => accepted(messages), failed);
  };
  const settle = () => accepted(1);

  let sinceTurn = 0;
  for (let sent = 0; sent < count; sent++) {
    if (inFlight >= window || sinceTurn >= window) {
      await until(window >> 1);
      await nextTurn();
      sinceTurn = 0;
    }
    const promise = send();
    sinceTurn++;
    if (promise !== undefined) {
      inFlight++;
      promise.then(settle, failed);
    } else if (flush !== undefined) {
      inFlight++;
      if (++unflushed === FLUSH_EVERY) flushNow();
    }
  }
  if (unflushed > 0) flushNow();
  await until(0);
}

/** Sends messages one by one, each when the one before is accepted. */
export async function awaited(
  count: number,
  send: () => void | Promise<unknown>,
  flush?: () => Promise<unknown>,
): Promise<void> {
  for (let sent = 0; sent < count; sent++) {
    await send();
    await flush?.();
  }
}
