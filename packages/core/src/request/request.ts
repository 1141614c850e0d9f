import { BusError } from "../errors.js";
import type { Message } from "../subscribe/message.js";
import { isAsyncIterable } from "../channel/iterable.js";
import { MAX_TIMER_MS, refuseUnknownOptions, requireInteger } from "../options.js";
import type { PublishOptions } from "../publish/publish-options.js";
import type { Publisher } from "../publish/publisher.js";
import type { Spool } from "../spool.js";
import { parseAddress } from "../topics.js";
import { AwaitedAnswer } from "./awaited-answer.js";
import { failureOf, type ReplyMailbox } from "./reply-mailbox.js";

export interface RequestOptions extends Omit<PublishOptions, "replyTo" | "mandatory" | "receipt" | "id"> {
  /** How long to wait for the answer, in milliseconds. The request itself expires then too. @default 30000 */
  readonly timeoutMs?: number | undefined;
}

// prettier-ignore
const OPTIONS: ReadonlySet<string> = new Set([
  "timeoutMs", "signal", "topic", "cause", "onFull", "sync",
  "type", "subject", "priority", "expiresInMs", "correlationId", "traceparent", "tracestate",
  "dataContentType", "dataSchema", "dataRef", "sequence", "extensions",
] satisfies (keyof RequestOptions)[]);

/** @throws TypeError for what cannot be, or is not known; the signal's reason */
export function checkRequest(data: unknown, options: RequestOptions): void {
  if (isAsyncIterable(data)) throw new TypeError("a request has no stream: connect() to who is to read it, and call()");
  refuseUnknownOptions("request", options, OPTIONS);
  requireInteger("timeoutMs", options.timeoutMs, 1, MAX_TIMER_MS);
  options.signal?.throwIfAborted();
}

/** An answer: a message without anything to settle. */
export type Answer<Data = unknown> = Pick<
  Message<Data>,
  "id" | "topic" | "type" | "time" | "data" | "envelope" | "sender"
>;

export const REQUEST_TIMEOUT_MS = 30_000;

/**
 * Publishes a request that was checked, and waits for its first answer.
 * @throws BusError ERR_NO_SUBSCRIPTION when nobody can answer, ERR_TIMEOUT, ERR_RESPONDER when the responder's handler failed, and
 * what `publish` throws; the signal's reason
 * @param late what it throws when no answer has come in time
 */
export async function request<Data>(
  {
    spool,
    publisher,
    mailbox,
  }: { readonly spool: Spool; readonly publisher: Publisher; readonly mailbox: ReplyMailbox },
  destination: string,
  data: unknown,
  options: RequestOptions,
  late: () => BusError = () => timedOut(destination, options),
): Promise<Answer<Data>> {
  const { timeoutMs = REQUEST_TIMEOUT_MS, signal, ...rest } = options;
  if (!mailbox.isOpen) await mailbox.open();
  // Whoever knew it could have somebody else's question answered in the place of this one.
  const id = spool.names.secretUlid();
  const from = destination.startsWith("@") ? parseAddress(destination).user : undefined;
  const until = performance.now() + timeoutMs;
  const answer = new AwaitedAnswer(id, from, until, late);
  const onAbort = () => answer.fail(signal?.reason as Error);
  mailbox.expect(answer);
  signal?.addEventListener("abort", onAbort);
  try {
    const question = { id, replyTo: mailbox.address, timeoutMs, signal };
    const asking = publisher.ask(destination, data, question, isEmpty(rest) ? undefined : rest);
    if (asking instanceof Promise) {
      // The publish may fail first; then nobody looks at the answer.
      answer.arrived.catch(() => undefined);
      await asking;
    }
    const message = await answer.arrived;
    const failure = failureOf(message);
    if (failure !== undefined) throw failure;
    return message as Message<Data>;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    mailbox.forget(answer);
  }
}

function isEmpty(options: object): boolean {
  for (const _ in options) return false;
  return true;
}

/** @param destination as the caller has written it */
export function timedOut(destination: string, { timeoutMs = REQUEST_TIMEOUT_MS }: RequestOptions): BusError {
  return new BusError("ERR_TIMEOUT", `no answer to ${destination} within ${timeoutMs} ms`, {
    fix: "agentbus status shows whether its responder runs; a longer timeoutMs gives it more time",
  });
}
