import { isBusError } from "../errors.js";
import type { Message } from "../subscribe/message.js";
import type { Handler } from "../subscribe/handler-loop.js";

/** Computes an answer. What it returns is published as the answer's data; what it throws is told to the one who asked. */
export type Responder<Data> = (message: Message<Data>) => unknown;

/** Longest text of a failure that is sent back, in characters. */
const MAX_FAILURE_TEXT = 1_000;

/** Makes a handler of a responder: it answers each message that names an address for answers, and acknowledges it. */
export function answering<Data>(responder: Responder<Data>): Handler<Data> {
  return async (message) => {
    let data: unknown;
    let failure: string | undefined;
    try {
      data = await responder(message);
    } catch (error) {
      failure = (error instanceof Error ? error.message : String(error)).slice(0, MAX_FAILURE_TEXT) || "it failed";
    }
    if (message.envelope.replyto === undefined) {
      // Published, not requested: a failure is then this subscription's to try again.
      if (failure !== undefined) throw new Error(failure);
      return;
    }
    try {
      const type = `${message.type}.reply`;
      await message.reply(
        data ?? null,
        failure === undefined ? { type } : { type, extensions: { replyerror: failure } },
      );
    } catch (error) {
      // Whoever asked has gone meanwhile: there is nobody to answer, now or at another attempt.
      if (!isBusError(error) || error.code !== "ERR_ADDRESS_UNKNOWN") throw error;
    }
  };
}
