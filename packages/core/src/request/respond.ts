import { replyTypeOf } from "../envelope-frame.js";
import { isBusError } from "../errors.js";
import type { PublishOptions } from "../publish/publish-options.js";
import type { Message } from "../subscribe/message.js";
import type { Handler } from "../subscribe/handler-loop.js";

/** Computes an answer. What it returns is published as the answer's data; what it throws is told to the one who asked. */
export type Responder<Data> = (message: Message<Data>) => unknown;

/** Longest text of a failure that is sent back, in characters. */
const MAX_FAILURE_TEXT = 1_000;

/**
 * Makes a handler of a responder: it answers each message that names an address for answers, and acknowledges it. There is no
 * promise on the way of an answer that is there at once.
 */
export function answering<Data>(responder: Responder<Data>): Handler<Data> {
  return (message) => {
    let answer: unknown;
    try {
      answer = responder(message);
    } catch (error) {
      return refuse(message, error);
    }
    if (!isThenable(answer)) return tell(message, answer);
    return Promise.resolve(answer).then(
      (data) => tell(message, data),
      (error: unknown) => refuse(message, error),
    );
  };
}

function tell(message: Message, data: unknown): void | Promise<void> {
  // Published, not requested.
  if (message.envelope.replyto === undefined) return;
  return reply(message, data ?? null, { type: replyTypeOf(message.type) });
}

function refuse(message: Message, error: unknown): void | Promise<void> {
  const failure = (error instanceof Error ? error.message : String(error)).slice(0, MAX_FAILURE_TEXT) || "it failed";
  // Published, not requested: a failure is then this subscription's to try again.
  if (message.envelope.replyto === undefined) throw new Error(failure);
  return reply(message, null, { type: replyTypeOf(message.type), extensions: { replyerror: failure } });
}

function reply(message: Message, data: unknown, options: PublishOptions): void | Promise<void> {
  try {
    const replying = message.replyNow(data, options);
    if (replying instanceof Promise) return replying.then(noop, unlessGone);
  } catch (error) {
    unlessGone(error);
  }
}

/** Whoever asked has gone meanwhile: there is nobody to answer, now or at another attempt. */
function unlessGone(error: unknown): void {
  if (!isBusError(error) || error.code !== "ERR_ADDRESS_UNKNOWN") throw error;
}

function noop(): void {}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | undefined | null)?.then === "function";
}
