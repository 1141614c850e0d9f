import { failureText } from "../channel/failure-text.js";
import { isAsyncIterable, isThenable } from "../channel/iterable.js";
import { replyTypeOf } from "../envelope-frame.js";
import { isBusError, type ErrorCode } from "../errors.js";
import type { PublishOptions } from "../publish/publish-options.js";
import type { Message } from "../subscribe/message.js";
import type { Handler } from "../subscribe/handler-loop.js";

/** Computes an answer. What it returns is published as the answer's data; what it throws is told to the one who asked. */
export type Responder<Data> = (message: Message<Data>) => unknown;

/** What is wrong with an answer itself: it would be so at another attempt too. */
const OF_THE_ANSWER: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "ERR_TOO_LARGE",
  "ERR_ENVELOPE_INVALID",
  "ERR_SCHEMA",
]);
/** Of a responder, by whichever way it is asked without a connection. */
export const STREAM_ANSWER = "it answers with a stream, which only who has connected to it can read";

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

function tell(message: Message, answer: unknown): void | Promise<void> {
  // Published, not requested.
  if (message.envelope.replyto === undefined) return;
  if (isAsyncIterable(answer)) return refuse(message, STREAM_ANSWER);
  const refuseUnlessPassing = (error: unknown) => {
    if (!isOfTheAnswer(error)) throw error;
    return refuse(message, error);
  };
  try {
    return reply(message, answer ?? null, { type: replyTypeOf(message.type) })?.catch(refuseUnlessPassing);
  } catch (error) {
    return refuseUnlessPassing(error);
  }
}

function isOfTheAnswer(error: unknown): boolean {
  return error instanceof TypeError || (isBusError(error) && OF_THE_ANSWER.has(error.code));
}

function refuse(message: Message, error: unknown): void | Promise<void> {
  const failure = failureText(error);
  // Published, not requested: a failure is then this subscription's to try again.
  if (message.envelope.replyto === undefined) throw new Error(failure);
  return reply(message, null, { type: replyTypeOf(message.type), extensions: { replyerror: failure } });
}

function reply(message: Message, data: unknown, options: PublishOptions): undefined | Promise<void> {
  try {
    const replying = message.replyNow(data, options);
    if (replying instanceof Promise) return replying.then(noop, unlessGone);
  } catch (error) {
    unlessGone(error);
  }
  return undefined;
}

/** Whoever asked has gone meanwhile: there is nobody to answer, now or at another attempt. */
function unlessGone(error: unknown): void {
  if (!isBusError(error) || error.code !== "ERR_ADDRESS_UNKNOWN") throw error;
}

function noop(): void {}
