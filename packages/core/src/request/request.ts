import { BusError } from "../errors.js";
import type { Message } from "../subscribe/message.js";
import { MAX_TIMER_MS, requireInteger } from "../options.js";
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

/** An answer: a message without anything to settle. */
export type Answer<Data = unknown> = Pick<
  Message<Data>,
  "id" | "topic" | "type" | "time" | "data" | "envelope" | "sender"
>;

const REQUEST_TIMEOUT_MS = 30_000;

/**
 * Publishes a request and waits for its first answer.
 * @throws BusError ERR_NO_SUBSCRIPTION when nobody can answer, ERR_TIMEOUT, ERR_RESPONDER when the responder's handler failed, and
 * what `publish` throws; the signal's reason
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
): Promise<Answer<Data>> {
  const { timeoutMs = REQUEST_TIMEOUT_MS, signal, ...rest } = options;
  requireInteger("timeoutMs", timeoutMs, 1, MAX_TIMER_MS);
  signal?.throwIfAborted();
  if (!mailbox.isOpen) await mailbox.open();
  // Whoever knew it could have somebody else's question answered in the place of this one.
  const id = spool.names.secretUlid();
  const from = destination.startsWith("@") ? parseAddress(destination).user : undefined;
  const until = performance.now() + timeoutMs;
  const answer = new AwaitedAnswer(id, from, until, () => timedOut(destination, timeoutMs));
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

function timedOut(destination: string, timeoutMs: number): BusError {
  return new BusError("ERR_TIMEOUT", `no answer to ${destination} within ${timeoutMs} ms`, {
    fix: "agentbus status shows whether its responder runs; a longer timeoutMs gives it more time",
  });
}
