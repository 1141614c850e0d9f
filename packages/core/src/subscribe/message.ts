import type { Cause } from "../context.js";
import { dataOf, type Envelope } from "../envelope.js";
import type { Sender } from "../deliver/judge.js";
import type { Taken } from "../deliver/take.js";
import type { PublishOptions, PublishResult } from "../publish/publish-options.js";
import { MAX_TIMER_MS, refuseUnknownOptions, requireInteger } from "../options.js";
import { BusError } from "../errors.js";
import type { Consumer } from "./consumer.js";
import type { Settlement } from "./settlement.js";

export interface NackOptions {
  /** Until the next attempt, in milliseconds. @default by the subscription's backoff */
  readonly delayMs?: number | undefined;
  /** Kept with the message should it end in `dead/`. @default "nack" */
  readonly reason?: string | undefined;
}

const NACK_OPTIONS: ReadonlySet<string> = new Set(["delayMs", "reason"] satisfies (keyof NackOptions)[]);

/** Publishes an answer; given to messages by the bus, because this stage knows nothing of publishing. */
export type Reply = (
  message: Message,
  data: unknown,
  options: PublishOptions,
) => PublishResult | Promise<PublishResult>;

/** The subscription that a message came through, as the message sees it. */
export interface MessageHost {
  readonly name: string;
  /** Aborted when it closes. */
  readonly signal: AbortSignal;
  readonly consumer: Consumer;
  readonly settlement: Settlement;
  readonly reply: Reply;
  onSettled(message: Message): void;
}

/**
 * A message, delivered. It is this consumer's until it is settled, which the first of `ack`, `nack` and `reject` does; later ones do
 * nothing. A message that is never settled is delivered again once its consumer is gone.
 */
export class Message<Data = unknown> {
  readonly envelope: Envelope<Data>;
  /** Binary data is decoded to a Buffer. */
  readonly data: Data;
  /** The account that wrote it, by the owner of the file: not what the envelope says, what the kernel says. */
  readonly sender: Sender;
  /** The subscription that it came through, such as "alice~ci". */
  readonly subscription: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** Aborted when the subscription closes while the message is in work. */
  readonly signal: AbortSignal;
  /** Of its subscription, among what is in work. */
  slot = 0;
  readonly #taken: Taken;
  readonly #host: MessageHost;
  #state: "open" | "settled" | "returned" = "open";

  constructor(taken: Taken, host: MessageHost) {
    this.envelope = taken.envelope as Envelope<Data>;
    this.data = dataOf(taken.envelope) as Data;
    this.sender = taken.sender;
    this.subscription = host.name;
    this.attempt = taken.attempt;
    this.signal = host.signal;
    this.#taken = taken;
    this.#host = host;
  }

  get id(): string {
    return this.envelope.id;
  }

  get topic(): string {
    return this.envelope.topic;
  }

  get type(): string {
    return this.envelope.type;
  }

  /** When it was published, by the publisher's word. */
  get time(): Date {
    return new Date(this.envelope.time);
  }

  get isSettled(): boolean {
    return this.#state !== "open";
  }

  /** What a message published because of this one carries on: `bus.publish(topic, data, { cause: message })`. */
  get cause(): Cause {
    const { id, correlationid, hops, traceparent, tracestate } = this.envelope;
    return { id, correlationId: correlationid ?? id, hops: hops ?? 0, traceparent, tracestate };
  }

  /** Done: the message is removed. @throws BusError ERR_IO …, and may then be repeated; ERR_CLOSED after the subscription was closed */
  async ack(): Promise<void> {
    this.#settle(() => this.#host.settlement.ack(this.#taken));
  }

  /** Not done: it is delivered again, after its last attempt kept in `dead/`. @throws as `ack` */
  async nack(options: NackOptions = {}): Promise<void> {
    refuseUnknownOptions("nack", options, NACK_OPTIONS);
    requireInteger("delayMs", options.delayMs, 0, MAX_TIMER_MS);
    this.#settle(() => this.#host.settlement.nack(this.#taken, options.reason ?? "nack", options.delayMs));
  }

  /** Never to be done: it is kept in `dead/` with this reason. @throws as `ack` */
  async reject(reason = "rejected by its handler"): Promise<void> {
    this.#settle(() => this.#host.settlement.reject(this.#taken, reason));
  }

  /**
   * Publishes an answer to the address that the message names as `replyto`, or else to its sender.
   * @throws as `publish`
   */
  async reply(data: unknown, options: PublishOptions = {}): Promise<PublishResult> {
    return this.#host.reply(this, data, options);
  }

  /** As `reply()`, for responders. @returns a promise only when it has to wait @throws as `publish` */
  replyNow(data: unknown, options: PublishOptions): PublishResult | Promise<PublishResult> {
    return this.#host.reply(this, data, options);
  }

  /** As `ack()`, for the loop that runs handlers: nobody is told, so it may be noted a moment later. @throws as `ack` */
  ackLate(): void {
    if (!this.#isOpen()) return;
    this.#host.settlement.ack(this.#taken, true);
    this.#setSettled();
  }

  /** As `nack()`, at once; for the loop that runs handlers. @throws as `ack` */
  nackNow(reason: string): void {
    this.#settle(() => this.#host.settlement.nack(this.#taken, reason));
  }

  /** Puts it back as if it had not been delivered; for the subscription that closes. */
  giveBack(): void {
    if (this.#state !== "open") return;
    this.#host.consumer.release(this.#taken);
    this.#state = "returned";
    this.#host.onSettled(this);
  }

  #settle(action: () => void): void {
    if (!this.#isOpen()) return;
    action();
    this.#setSettled();
  }

  /** @throws BusError ERR_CLOSED when it is somebody else's by now */
  #isOpen(): boolean {
    if (this.#state !== "returned") return this.#state === "open";
    throw new BusError(
      "ERR_CLOSED",
      `message ${this.id} was put back when its subscription closed, and will be delivered again`,
      {
        fix: "use drain() to let handlers finish",
      },
    );
  }

  #setSettled(): void {
    this.#state = "settled";
    this.#host.onSettled(this);
  }
}
