import { BusChannelHost } from "./channel/bus-host.js";
import { Channels } from "./channel/channels.js";
import { questioned, SocketRequests } from "./channel/socket-requests.js";
import type { Cause } from "./context.js";
import type { PeekedMessage } from "./deliver/peek.js";
import { BusError, fromErrno } from "./errors.js";
import type { PublishOptions, PublishResult } from "./publish/publish-options.js";
import type { Publisher } from "./publish/publisher.js";
import { ReplyMailbox } from "./request/reply-mailbox.js";
import { checkRequest, request, timedOut, type Answer, type RequestOptions } from "./request/request.js";
import { answering, type Responder } from "./request/respond.js";
import { runAll } from "./run-all.js";
import type { Spool } from "./spool.js";
import { createSubscription, placeOf, removeSubscription } from "./subscribe/make-subscription.js";
import type { Message } from "./subscribe/message.js";
import {
  openSubscription,
  wishOf,
  type SubscribeOptions,
  type SubscriptionHost,
} from "./subscribe/open-subscription.js";
import { peekInbox, type PeekOptions } from "./subscribe/peek-inbox.js";
import { PresenceKeeper } from "./subscribe/presence-keeper.js";
import type { Handler } from "./subscribe/handler-loop.js";
import type { DrainOptions, Subscription } from "./subscribe/subscription.js";
import { Ticker } from "./subscribe/ticker.js";
import { sweep } from "./sweep.js";
import { INBOX, isSubscriptionName } from "./topics.js";
import type { WatchMode } from "./watch/watcher.js";

export interface ReceiverOptions {
  readonly watch: WatchMode;
  readonly rescanMs: number;
  /** What led to messages that are not sent inside another one's handler. */
  readonly cause: Cause | undefined;
}

/**
 * The half of a bus that receives: its subscriptions, the mailbox for answers, and the presence that shows it to others. A bus loads
 * and makes it when it is first needed: a process that only publishes shall not wait for it.
 */
export class Receiver {
  readonly #spool: Spool;
  readonly #publisher: Publisher;
  readonly #host: SubscriptionHost;
  readonly #presence: PresenceKeeper;
  readonly #mailbox: ReplyMailbox;
  readonly #subscriptions = new Set<Subscription<never>>();
  readonly #cause: Cause | undefined;
  #channels: Channels | undefined;
  #socketRequests: SocketRequests | undefined;
  #sweeping: Promise<void> | undefined;

  constructor(spool: Spool, publisher: Publisher, { watch, rescanMs, cause }: ReceiverOptions) {
    this.#spool = spool;
    this.#publisher = publisher;
    this.#cause = cause;
    const ticker = new Ticker();
    this.#presence = new PresenceKeeper(spool, ticker);
    let consumers = 0;
    this.#host = {
      spool,
      presence: this.#presence,
      watch,
      reply: (message, data, options) => this.#reply(message, data, options),
      heldLocks: new Map(),
      nextConsumer: () => `${this.#presence.token}-${++consumers}`,
      everyNowAndThen: (tick, keepsProcess) => ticker.add(tick, rescanMs, keepsProcess),
    };
    this.#mailbox = new ReplyMailbox(this.#host);
  }

  async subscribe<Data>(
    pattern: string | readonly string[],
    options: SubscribeOptions,
    handler: Handler<Data> | undefined,
  ): Promise<Subscription<Data>> {
    const wish = wishOf(this.#spool, pattern, options);
    this.#sweepOnce();
    const subscription = await openSubscription<Data>(this.#host, wish, options);
    this.#subscriptions.add(subscription as Subscription<never>);
    const forget = () => void this.#subscriptions.delete(subscription as Subscription<never>);
    subscription.done.then(forget, forget);
    if (handler !== undefined) subscription.handle(handler, options.concurrency ?? 1);
    return subscription;
  }

  respond<Data>(
    pattern: string | readonly string[],
    options: SubscribeOptions,
    responder: Responder<Data>,
  ): Promise<Subscription<Data>> {
    return this.subscribe(pattern, options, answering(responder));
  }

  unsubscribe(name: string): void {
    if (!isSubscriptionName(name) || name === INBOX)
      throw new TypeError(`${JSON.stringify(name)} is not the name of a durable subscription`);
    const place = placeOf(this.#spool, { kind: "durable", name });
    if (!this.#spool.isOwnDirectory(`${place.parentDir}/${place.directoryName}`)) {
      throw new BusError("ERR_NOT_FOUND", `${this.#spool.user} has no durable subscription ${name}`, {
        fix: "agentbus status",
      });
    }
    removeSubscription(this.#spool, place);
  }

  peek(options: PeekOptions, closing: AbortSignal): AsyncGenerator<PeekedMessage, void, undefined> {
    return peekInbox(this.#host, options, closing);
  }

  async request<Reply>(destination: string, data: unknown, options: RequestOptions): Promise<Answer<Reply>> {
    checkRequest(data, options);
    const to = destination.startsWith("@") ? questioned(destination, options.topic) : undefined;
    if (to === undefined) return this.#requestBySpool(destination, data, options);
    const late = () => timedOut(destination, options);
    const since = performance.now();
    this.#socketRequests ??= new SocketRequests(this.#spool, () => this.channels());
    const answer = await this.#socketRequests.request<Reply>(to, data, options, late);
    if (answer !== undefined) return answer;
    const { timeoutMs } = options;
    const left =
      timeoutMs === undefined ? {} : { timeoutMs: Math.max(1, Math.ceil(timeoutMs - (performance.now() - since))) };
    return this.#requestBySpool(`@${to.user}`, data, { ...options, topic: to.name, ...left }, late);
  }

  #requestBySpool<Reply>(
    destination: string,
    data: unknown,
    options: RequestOptions,
    late?: () => BusError,
  ): Promise<Answer<Reply>> {
    const parts = { spool: this.#spool, publisher: this.#publisher, mailbox: this.#mailbox };
    return request<Reply>(parts, destination, data, options, late);
  }

  /** Pipes and sockets. */
  channels(): Channels {
    if (this.#channels !== undefined) return this.#channels;
    this.#sweepOnce();
    const host = new BusChannelHost(this.#spool, this.#publisher, this.#host, this.#cause);
    return (this.#channels = new Channels(host, host.open, () => host.close()));
  }

  /** Takes nothing more, and lets handlers finish. */
  async drain(options: DrainOptions): Promise<void> {
    const subscriptions = [...this.#subscriptions].map((subscription) => subscription.drain(options));
    await Promise.all([...subscriptions, this.#channels?.drainReceiving(options)]);
    await this.#channels?.drain(options);
  }

  /** Puts back what is in work. Answers can still be sent. */
  async closeSubscriptions(): Promise<void> {
    await runAll([
      ...[...this.#subscriptions].map((subscription) => () => subscription.close()),
      () => this.#channels?.close(),
    ]);
  }

  /** Ends the wait for answers, and takes the presence away; to be called after `closeSubscriptions()`. */
  async close(): Promise<void> {
    await runAll([() => this.#mailbox.close(), () => this.#presence.close(), () => this.#sweeping]);
  }

  /** Clears away what dead processes of this account left. */
  #sweepOnce(): void {
    this.#sweeping ??= sweep(this.#spool).then(
      () => undefined,
      (error: unknown) => process.emitWarning(fromErrno(error, "sweep", this.#spool.path).message, "AgentbusWarning"),
    );
  }

  #reply(message: Message, data: unknown, options: PublishOptions): PublishResult | Promise<PublishResult> {
    const address = message.envelope.replyto ?? `@${message.sender.user}`;
    return this.#publisher.answer(address, message, data, options);
  }
}

/** Gives an account the inbox that direct messages to it go to, unless it has one. @throws BusError ERR_SQUATTED, ERR_ACCESS, ERR_DISK_FULL */
export function makeInbox(spool: Spool): void {
  createSubscription(spool, { kind: "inbox", name: INBOX, patterns: [], address: `@${spool.user}` });
}
