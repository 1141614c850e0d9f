import { BusError } from "../errors.js";
import type { Message } from "../subscribe/message.js";
import { openSubscription, type SubscriptionHost } from "../subscribe/open-subscription.js";
import type { Subscription } from "../subscribe/subscription.js";
import type { AwaitedAnswer } from "./awaited-answer.js";
import { AwaitedAnswers } from "./awaited-answers.js";
import { responderFailure } from "./responder-failure.js";

/**
 * Where the answers to one bus's requests arrive: a mailbox of its own, since the inbox has one consumer. Made with the first
 * request, removed with the bus.
 */
export class ReplyMailbox {
  readonly address: string;
  readonly #host: SubscriptionHost;
  readonly #name: string;
  readonly #awaited = new AwaitedAnswers();
  #isOpen = false;
  #opening: Promise<Subscription> | undefined;

  constructor(host: SubscriptionHost) {
    this.#host = host;
    this.#name = `reply-${host.spool.names.random(26)}`;
    this.address = `@${host.spool.user}~${this.#name}`;
  }

  /** Answers can come. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** @throws as `subscribe` */
  async open(): Promise<void> {
    this.#opening ??= this.#open();
    try {
      await this.#opening;
      this.#isOpen = true;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }

  /** To be taken back with `forget()`. */
  expect(answer: AwaitedAnswer): void {
    this.#awaited.add(answer);
  }

  forget(answer: AwaitedAnswer): void {
    this.#awaited.delete(answer);
  }

  /** Whoever still waits for an answer is refused with ERR_CLOSED. */
  async close(): Promise<void> {
    this.#awaited.failAll(closedMeanwhile());
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
    const awaited = this.#awaited.get(message.envelope.causationid ?? "");
    if (awaited === undefined) return;
    if (awaited.from !== undefined && awaited.from !== message.sender.user) return;
    awaited.answer(message);
  }
}

/** What a failed responder's answer becomes for the one who asked. */
export function failureOf(message: Message): BusError | undefined {
  const { replyerror } = message.envelope;
  if (replyerror === undefined) return undefined;
  return responderFailure(message, replyerror);
}

export function closedMeanwhile(): BusError {
  return new BusError("ERR_CLOSED", "the bus was closed before the answer came");
}
