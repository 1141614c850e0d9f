import { BusError } from "../errors.js";
import type { Message } from "../subscribe/message.js";
import { MAX_TIMER_MS, requireInteger } from "../options.js";
import type { Publisher, PublishOptions } from "../publish/publisher.js";
import type { Spool } from "../spool.js";
import { parseAddress } from "../topics.js";
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
  await mailbox.open();
  // Whoever knew it could have somebody else's question answered in the place of this one.
  const id = spool.names.secretUlid();
  const from = destination.startsWith("@") ? parseAddress(destination).user : undefined;
  const answer = new AwaitedAnswer(mailbox, id, from, signal);
  answer.failAfter(timeoutMs, () => timedOut(destination, timeoutMs));
  try {
    const publishing = {
      expiresInMs: timeoutMs,
      ...rest,
      id,
      replyTo: mailbox.address,
      mandatory: true,
      timeoutMs,
      signal,
    };
    await publisher.publish(destination, data, publishing);
    const message = await answer.arrived;
    const failure = failureOf(message);
    if (failure !== undefined) throw failure;
    return message as Message<Data>;
  } finally {
    answer.stop();
  }
}

/** The answer to one request: a promise, and all that has to be undone when nobody waits for it any more. */
class AwaitedAnswer {
  readonly arrived: Promise<Message>;
  readonly #mailbox: ReplyMailbox;
  readonly #id: string;
  readonly #signal: AbortSignal | undefined;
  #fail!: (reason: Error) => void;
  #timer: NodeJS.Timeout | undefined;
  readonly #onAbort = () => this.#fail(this.#signal?.reason as Error);

  /** @param from only this account may answer; undefined when any may */
  constructor(mailbox: ReplyMailbox, id: string, from: string | undefined, signal: AbortSignal | undefined) {
    this.#mailbox = mailbox;
    this.#id = id;
    this.#signal = signal;
    this.arrived = new Promise((resolve, reject) => {
      this.#fail = reject;
      mailbox.expect(id, { from, answer: resolve, fail: reject });
    });
    // The publish may fail first; then nobody looks at this one.
    this.arrived.catch(() => undefined);
    signal?.addEventListener("abort", this.#onAbort);
  }

  failAfter(timeoutMs: number, error: () => Error): void {
    this.#timer = setTimeout(() => this.#fail(error()), timeoutMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#mailbox.forget(this.#id);
  }
}

function timedOut(destination: string, timeoutMs: number): BusError {
  return new BusError("ERR_TIMEOUT", `no answer to ${destination} within ${timeoutMs} ms`, {
    fix: "agentbus status shows whether its responder runs; a longer timeoutMs gives it more time",
  });
}
