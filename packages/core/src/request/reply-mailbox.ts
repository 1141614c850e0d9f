import { BusError } from "../errors.js";
import type { Message } from "../subscribe/message.js";
import { openSubscription, type SubscriptionHost } from "../subscribe/open-subscription.js";
import type { Subscription } from "../subscribe/subscription.js";

/** A request that waits for its answer. */
export interface Expectation {
  /** Only this account may answer; undefined when any may. */
  readonly from: string | undefined;
  readonly answer: (message: Message) => void;
  readonly fail: (error: BusError) => void;
}

/**
 * Where the answers to one bus's requests arrive: a mailbox of its own, since the inbox has one consumer. Made with the first
 * request, removed with the bus.
 */
export class ReplyMailbox {
  readonly address: string;
  readonly #host: SubscriptionHost;
  readonly #name: string;
  readonly #expected = new Map<string, Expectation>();
  #opening: Promise<Subscription> | undefined;

  constructor(host: SubscriptionHost) {
    this.#host = host;
    this.#name = `reply-${host.spool.names.random(26)}`;
    this.address = `@${host.spool.user}~${this.#name}`;
  }

  /** @throws as `subscribe` */
  async open(): Promise<void> {
    this.#opening ??= this.#open();
    try {
      await this.#opening;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }

  expect(requestId: string, expectation: Expectation): void {
    this.#expected.set(requestId, expectation);
  }

  forget(requestId: string): void {
    this.#expected.delete(requestId);
  }

  /** Whoever still waits for an answer is refused with ERR_CLOSED. */
  async close(): Promise<void> {
    const error = new BusError("ERR_CLOSED", "the bus was closed before the answer came");
    for (const { fail } of this.#expected.values()) fail(error);
    const subscription = await this.#opening?.catch(() => undefined);
    await subscription?.close();
  }

  async #open(): Promise<Subscription> {
    const wish = { kind: "reply", name: this.#name, patterns: [], address: this.address } as const;
    const subscription = await openSubscription(this.#host, wish, {});
    subscription.handle((message) => this.#deliver(message), 1);
    return subscription;
  }

  /** What nobody waits for any more is dropped: the request timed out, or somebody made the answer up. */
  #deliver(message: Message): void {
    const expectation = this.#expected.get(message.envelope.causationid ?? "");
    if (expectation === undefined) return;
    if (expectation.from !== undefined && expectation.from !== message.sender.user) return;
    expectation.answer(message);
  }
}

/** What a failed responder's answer becomes for the one who asked. */
export function failureOf(message: Message): BusError | undefined {
  const { replyerror } = message.envelope;
  if (replyerror === undefined) return undefined;
  return new BusError("ERR_RESPONDER", `${message.sender.user} could not answer ${message.topic}: ${replyerror}`, {
    details: { sender: message.sender, data: message.data },
  });
}
