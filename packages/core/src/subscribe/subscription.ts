import type { ReceivingEnd } from "../channel/channel.js";
import { SPOOL_CAPABILITIES } from "../channel/capabilities.js";
import type { Taken } from "../deliver/take.js";
import { BusError } from "../errors.js";
import type { Consumer } from "./consumer.js";
import { Slots } from "../slots.js";
import { HandlerLoop, type Handler } from "./handler-loop.js";
import { Message, type MessageHost, type Reply } from "./message.js";
import type { SubscriptionStatistics } from "./statistics.js";

/** How long `drain()` waits for messages in work, in milliseconds. */
const DRAIN_MS = 30_000;

export interface DrainOptions {
  /** After this the messages that are still in work are put back. In milliseconds. @default 30000 */
  readonly timeoutMs?: number | undefined;
}

export interface SubscriptionParts {
  readonly name: string;
  readonly patterns: readonly string[];
  readonly consumer: Consumer;
  readonly reply: Reply;
  readonly onError: ((error: unknown, message: Message) => void) | undefined;
  readonly autoAck: boolean;
  readonly maxInFlight: number;
  /** Lets go of everything that the subscription holds. */
  readonly release: () => Promise<void>;
}

/**
 * An open subscription: either iterated, or read by a handler.
 *
 * ```text
 *              next()                 ack()
 *   waiting ──────────► in work ──────────────► gone
 *      ▲                │   │  │ reject(), or nack() after the last attempt
 *      └────────────────┘   │  └─────────────► dead letter
 *        nack(), close(),   │
 *        a crash            └ the file is in cur/ all the while
 * ```
 */
export class Subscription<Data = unknown> implements ReceivingEnd<Data>, AsyncIterable<Message<Data>> {
  readonly capabilities = SPOOL_CAPABILITIES;
  /** Such as "alice~ci" or "queue:work". */
  readonly name: string;
  readonly patterns: readonly string[];
  /**
   * Resolves when it is closed; rejects when it cannot go on: ERR_NOT_FOUND (it was removed), ERR_LOCK_LOST. By then it has let go of
   * everything, so whoever waits for it can subscribe again.
   */
  readonly done: Promise<void>;
  readonly #parts: SubscriptionParts;
  readonly #consumer: Consumer;
  readonly #closing = new AbortController();
  readonly #inWork = new Slots<Message<Data>>();
  readonly #host: MessageHost;
  #loop: { stop(): void } | undefined;
  #onIdle: (() => void)[] = [];
  #finish!: () => void;
  #fail!: (error: unknown) => void;
  #reading: "nobody" | "iterator" | "handler" = "nobody";
  #closed: Promise<void> | undefined;
  /** Why it cannot go on. */
  #failure: unknown;
  #hasWarned = false;

  constructor(parts: SubscriptionParts) {
    this.name = parts.name;
    this.patterns = parts.patterns;
    this.#parts = parts;
    this.#consumer = parts.consumer;
    this.#host = {
      name: parts.name,
      signal: this.#closing.signal,
      consumer: parts.consumer,
      settlement: parts.consumer.settlement,
      reply: parts.reply,
      onSettled: (message: Message<Data>) => {
        this.#inWork.delete(message);
        if (this.#onIdle.length > 0) for (const wake of this.#onIdle.splice(0)) wake();
      },
    };
    this.done = new Promise((resolve, reject) => {
      this.#finish = resolve;
      this.#fail = reject;
    });
    // Whoever does not look at it has the warning.
    this.done.catch(() => undefined);
  }

  /** Counters since it was opened; live. */
  get stats(): Readonly<SubscriptionStatistics> {
    return this.#consumer.statistics;
  }

  /** The messages, one by one. Leaving the loop closes the subscription; a message that is then unsettled is put back. */
  [Symbol.asyncIterator](): AsyncIterator<Message<Data>, undefined> {
    this.#claimReader("iterator");
    let last: Message<Data> | undefined;
    const next = async (): Promise<IteratorResult<Message<Data>, undefined>> => {
      // One that was put back because the subscription closed meanwhile is not ours to acknowledge.
      if (this.#parts.autoAck && last?.isSettled === false) await last.ack();
      await this.#roomFor(this.#parts.maxInFlight);
      const taken = await this.#consumer.next();
      if (taken === undefined || this.#hasClosedBefore(taken)) return { done: true, value: undefined };
      last = this.#messageOf(taken);
      taken.claim.confirmBegun(taken.index);
      return { done: false, value: last };
    };
    return {
      // A loop that ends by an error calls nothing that would close it.
      next: () => next().catch((error: unknown) => this.#end(error)),
      return: async () => {
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }

  /** Hands every message to a handler; for `bus.subscribe` with one. @param concurrency how many at a time */
  handle(handler: Handler<Data>, concurrency: number): void {
    this.#claimReader("handler");
    const loop = new HandlerLoop(this.#consumer, handler, concurrency, {
      messageOf: (taken) => this.#messageOf(taken),
      onFailure: (error, message, reason) => this.#reportFailure(error, message, reason),
      onBroken: (failure) => {
        process.emitWarning(`the subscription ${this.name} ends: ${(failure as Error).message}`, "AgentbusWarning");
        void this.#end(failure).catch(() => undefined);
      },
    });
    this.#loop = loop;
    loop.start();
  }

  /** Takes nothing more, lets what is in work finish, and closes. */
  async drain(options: DrainOptions = {}): Promise<void> {
    this.#consumer.stop();
    await this.#idleWithin(options.timeoutMs ?? DRAIN_MS);
    await this.close();
  }

  /** Closes now: what is in work is put back, and its `signal` aborted. An ephemeral subscription is removed. */
  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  async #close(): Promise<void> {
    this.#consumer.stop();
    this.#closing.abort(new BusError("ERR_CLOSED", `the subscription ${this.name} was closed`));
    this.#loop?.stop();
    for (const message of this.#inWork.members()) message.giveBack();
    try {
      await this.#parts.release();
    } catch (error) {
      this.#fail(this.#failure ?? this.#consumer.failure ?? error);
      throw error;
    }
    const failure = this.#failure ?? this.#consumer.failure;
    if (failure === undefined) this.#finish();
    else this.#fail(failure);
  }

  /** Closes because it cannot go on. @throws what it was given, once everything is let go of */
  async #end(failure: unknown): Promise<never> {
    if (!this.#closing.signal.aborted) this.#failure ??= failure;
    // What else goes wrong then is not what counts.
    await this.close().catch(() => undefined);
    throw failure;
  }

  /** Whether the subscription closed between the taking of a message and this moment: then it goes back with the rest. */
  #hasClosedBefore(taken: Taken): boolean {
    if (!this.#closing.signal.aborted) return false;
    this.#consumer.release(taken);
    return true;
  }

  #reportFailure(error: unknown, message: Message<Data>, reason: string): void {
    try {
      if (this.#parts.onError !== undefined) return this.#parts.onError(error, message);
    } catch (another) {
      reason += `; and onError failed: ${String(another)}`;
    }
    const which = `${message.topic} ${message.id}, attempt ${message.attempt}`;
    process.emitWarning(`the handler of ${this.name} failed on ${which}: ${reason}`, "AgentbusWarning");
  }

  #messageOf(taken: Taken): Message<Data> {
    const message = new Message<Data>(taken, this.#host);
    this.#inWork.add(message);
    return message;
  }

  /** Resolves when fewer than `limit` messages are in work, or the subscription closes. */
  async #roomFor(limit: number): Promise<void> {
    while (this.#inWork.size >= limit && !this.#closing.signal.aborted) {
      this.#warnOfUnsettled(limit);
      await new Promise<void>((resolve) => this.#onIdle.push(resolve));
    }
  }

  #warnOfUnsettled(limit: number): void {
    if (this.#reading !== "iterator" || this.#hasWarned) return;
    this.#hasWarned = true;
    process.emitWarning(`${this.name} waits: ${limit} of its messages are neither acked, nacked nor rejected`, {
      type: "AgentbusWarning",
      code: "AGENTBUS_UNSETTLED",
      detail: "call message.ack(), or subscribe with { autoAck: true }",
    });
  }

  async #idleWithin(timeoutMs: number): Promise<void> {
    const timeUp = new AbortController();
    const timer = setTimeout(() => {
      timeUp.abort();
      for (const wake of this.#onIdle.splice(0)) wake();
    }, timeoutMs);
    while (this.#inWork.size > 0 && !timeUp.signal.aborted && !this.#closing.signal.aborted) {
      await new Promise<void>((resolve) => this.#onIdle.push(resolve));
    }
    clearTimeout(timer);
  }

  #claimReader(reader: "iterator" | "handler"): void {
    if (this.#reading !== "nobody") {
      throw new TypeError(
        `the subscription ${this.name} has ${this.#reading === "iterator" ? "an iterator" : "a handler"} already; subscribe again for another`,
      );
    }
    this.#reading = reader;
  }
}
