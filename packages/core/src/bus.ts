import { PendingClient, PendingPipe, PendingPipes, PendingServer } from "./channel/pending-channels.js";
import type { Channels } from "./channel/channels.js";
import type { PipeHandler, PipeOptions, PipesOptions } from "./channel/pipe.js";
import type { ConnectOptions, ServeHandler, ServeOptions } from "./channel/socket.js";
import type { Cause } from "./context.js";
import type { PeekedMessage } from "./deliver/peek.js";
import { BusError, fromErrno } from "./errors.js";
import { loadLater } from "./load-later.js";
import type { SyncLevel } from "./publish/fan-out.js";
import type { PublishOptions, PublishResult } from "./publish/publish-options.js";
import { Publisher } from "./publish/publisher.js";
import type { Receiver, ReceiverOptions } from "./receiver.js";
import type { Answer, RequestOptions } from "./request/request.js";
import type { Responder } from "./request/respond.js";
import { runAll } from "./run-all.js";
import type { Spool, SpoolLimits } from "./spool.js";
import type { SubscribeOptions } from "./subscribe/open-subscription.js";
import type { PeekOptions } from "./subscribe/peek-inbox.js";
import { PendingSubscription } from "./subscribe/pending-subscription.js";
import type { Handler } from "./subscribe/handler-loop.js";
import type { DrainOptions, Subscription } from "./subscribe/subscription.js";
import type { AnyTopics, DataOf } from "./topic-types.js";
import type { WatchMode } from "./watch/watcher.js";

export interface OpenBusOptions {
  /** The spool's path. @default AGENTBUS_SPOOL, or what `group` says */
  readonly spool?: string | undefined;
  /** The Unix group whose spool it is. @default AGENTBUS_GROUP, or the only spool that this account may use, or its personal one */
  readonly group?: string | undefined;
  /** What "published" survives: "none" the death of any process, "data" and "full" a power cut. @default "none" */
  readonly sync?: SyncLevel | undefined;
  /** How arrivals are noticed. @default "auto" */
  readonly watch?: WatchMode | undefined;
  /** How often to look for what no event reported, in milliseconds. @default 2000 */
  readonly rescanMs?: number | undefined;
  /** Closes the bus. */
  readonly signal?: AbortSignal | undefined;
}

const DEFAULTS = Object.freeze({ sync: "none", watch: "auto", rescanMs: 2_000 } as const);

/** An open bus. All of it may be used concurrently. */
export class Bus<Topics = AnyTopics> implements AsyncDisposable {
  readonly #spool: Spool;
  readonly #publisher: Publisher;
  readonly #receiverOptions: ReceiverOptions;
  #receiver: Promise<Receiver> | undefined;
  #opening = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;
  #isClosing = false;
  readonly #closing = new AbortController();
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = () =>
    void this.close().catch((error: unknown) => process.emitWarning((error as Error).message, "AgentbusWarning"));

  /** Use `openBus()`. */
  constructor(spool: Spool, options: OpenBusOptions, cause?: Cause) {
    this.#spool = spool;
    this.#publisher = new Publisher(spool, options.sync ?? DEFAULTS.sync, cause);
    this.#receiverOptions = {
      watch: options.watch ?? DEFAULTS.watch,
      rescanMs: options.rescanMs ?? DEFAULTS.rescanMs,
      cause,
    };
    this.#signal = options.signal;
    options.signal?.addEventListener("abort", this.#onAbort);
  }

  /** The account that this process publishes as. */
  get user(): string {
    return this.#spool.user;
  }

  get uid(): number {
    return this.#spool.uid;
  }

  /** Where the bus is, and what it allows. */
  get spool(): {
    readonly path: string;
    readonly kind: "group" | "personal";
    readonly group: string | undefined;
    readonly limits: SpoolLimits;
  } {
    const { path, kind, group, limits } = this.#spool;
    return { path, kind, group, limits };
  }

  /**
   * Publishes to everybody whose pattern matches the topic, or to the inbox of an address. Resolves when they store it.
   * @param data anything that JSON can say, or a Uint8Array @default no data
   * @throws BusError ERR_ADDRESS_UNKNOWN, ERR_TOPIC_INVALID, ERR_ENVELOPE_INVALID, ERR_SCHEMA, ERR_TOO_LARGE, ERR_HOPS,
   * ERR_NO_SUBSCRIPTION (when mandatory), ERR_BACKLOG, ERR_PARTIAL, ERR_DISK_FULL, ERR_ACCESS, ERR_TOO_MANY_FILES, ERR_IO,
   * ERR_CLOSED; TypeError for options or data that cannot be
   */
  // Not an async function: every publish would make one more object.
  publish<Topic extends (keyof Topics & string) | `@${string}`>(
    destination: Topic,
    data?: DataOf<Topics, Topic>,
    options?: PublishOptions,
  ): Promise<PublishResult> {
    try {
      this.#requireOpen("publish");
      return Promise.resolve(this.#publisher.publish(destination, data, options));
    } catch (error) {
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- as it was thrown
      return Promise.reject(error);
    }
  }

  /**
   * Subscribes to the topics that a pattern (or any of several) matches, or to this account's own inbox, `@user`.
   *
   * Await the result to know that it is in place, or iterate it: `for await (const message of bus.subscribe("build.**"))`. With a
   * handler, a message is acknowledged when the handler is done, and delivered again later when it throws.
   * @throws BusError ERR_BUSY, ERR_SQUATTED, ERR_ACCESS, ERR_TOPIC_INVALID, ERR_DISK_FULL, ERR_TOO_MANY_FILES, ERR_CLOSED;
   * TypeError for options that cannot be
   */
  subscribe<const Pattern extends string>(
    pattern: Pattern | readonly Pattern[],
    options?: SubscribeOptions,
  ): PendingSubscription<DataOf<Topics, Pattern>>;
  subscribe<const Pattern extends string>(
    pattern: Pattern | readonly Pattern[],
    options: SubscribeOptions,
    handler: Handler<DataOf<Topics, Pattern>>,
  ): PendingSubscription<DataOf<Topics, Pattern>>;
  subscribe<const Pattern extends string>(
    pattern: Pattern | readonly Pattern[],
    handler: Handler<DataOf<Topics, Pattern>>,
  ): PendingSubscription<DataOf<Topics, Pattern>>;
  subscribe<Data>(
    pattern: string | readonly string[],
    second: SubscribeOptions | Handler<Data> = {},
    third?: Handler<Data>,
  ): PendingSubscription<Data> {
    const handler = typeof second === "function" ? second : third;
    const options = typeof second === "function" ? {} : second;
    const opening = this.#subscribe((receiver) => receiver.subscribe(pattern, options, handler));
    // Iterated later, a failure is thrown then; without an iterator it is nobody's until somebody awaits it.
    if (handler === undefined) opening.catch(() => undefined);
    return new PendingSubscription(opening);
  }

  /**
   * Removes a durable subscription of this account, with everything that waits in it.
   * @param name as in `{ durable: name }` @throws BusError ERR_NOT_FOUND, ERR_ACCESS
   */
  async unsubscribe(name: string): Promise<void> {
    (await this.#receive()).unsubscribe(name);
  }

  /**
   * Shows the messages in this account's inbox, those that are there and those that come, and leaves them to their consumer. What
   * that one settles at once may never be seen.
   * @throws BusError ERR_ACCESS, ERR_IO, ERR_TOO_MANY_FILES, ERR_CLOSED
   */
  async *peek(options: PeekOptions = {}): AsyncGenerator<PeekedMessage, void, undefined> {
    const receiver = await this.#receive();
    this.#requireOpen("peek");
    yield* receiver.peek(options, this.#closing.signal);
  }

  /**
   * Asks, and waits for the first answer.
   *
   * - `"math.add"`, a topic: by the spool, always, to whoever subscribes. A socket is found by an agent and a name, and here is no agent.
   * - `"@codebot/search"`, or `"@codebot"` with `{ topic: "search" }`: through the socket that codebot serves as "search", where it does, and
   *   otherwise to its inbox, with the topic "search". The answer and the errors are the same. `sync` and `onFull` are the spool's, and choose it.
   * - `"@codebot"` without a topic, or with one of several tokens: to its inbox.
   * @throws BusError ERR_NO_SUBSCRIPTION, ERR_TIMEOUT, ERR_RESPONDER, and as `publish`
   */
  async request<Reply = unknown>(
    destination: string,
    data?: unknown,
    options: RequestOptions = {},
  ): Promise<Answer<Reply>> {
    this.#requireOpen("request");
    // `respond` and then `request`, without an await in between: it may be the one that answers.
    if (this.#opening.size > 0) await Promise.allSettled(this.#opening);
    const receiver = await this.#receive();
    this.#requireOpen("request");
    return receiver.request<Reply>(destination, data, options);
  }

  /**
   * Answers requests to a topic or to this account's inbox. What comes to the inbox has the type that the responder says, so that one function
   * can be given to `serve` too.
   * @throws as `subscribe`
   */
  respond<const Pattern extends string>(
    pattern: Pattern | readonly Pattern[],
    responder: Responder<DataOf<Topics, Pattern>>,
    options?: SubscribeOptions,
  ): PendingSubscription<DataOf<Topics, Pattern>>;
  respond<Data>(
    address: `@${string}`,
    responder: Responder<Data>,
    options?: SubscribeOptions,
  ): PendingSubscription<Data>;
  respond<Data>(
    pattern: string | readonly string[],
    responder: Responder<Data>,
    options: SubscribeOptions = {},
  ): PendingSubscription<Data> {
    return new PendingSubscription(this.#subscribe((receiver) => receiver.respond(pattern, options, responder)));
  }

  /**
   * Opens a pipe to an agent, `@codebot`, which reads it with `bus.pipes()`: its `send()` waits while the receiver is slow.
   *
   * Await the result to know that it is open, or send right away. Needs the package `@agentbus/pipe`.
   * @throws BusError ERR_PACKAGE_MISSING, ERR_ADDRESS_UNKNOWN, ERR_TOPIC_INVALID, ERR_ACCESS, ERR_SQUATTED, ERR_CLOSED …;
   * TypeError for options that cannot be
   */
  pipe(address: string, options: PipeOptions = {}): PendingPipe {
    return new PendingPipe(this.#channel("open a pipe", (channels) => channels.pipe(address, options)));
  }

  /**
   * Receives what all agents send through pipes to this one, each in its turn.
   *
   * Iterate the result, or give it a handler. One process of an account does so at a time. Needs the package `@agentbus/pipe`.
   * @throws BusError ERR_PACKAGE_MISSING, ERR_BUSY, ERR_ACCESS, ERR_SQUATTED, ERR_CLOSED …; TypeError for options that cannot be
   */
  pipes<Data = unknown>(handler: PipeHandler<Data>): PendingPipes<Data>;
  pipes<Data = unknown>(options?: PipesOptions, handler?: PipeHandler<Data>): PendingPipes<Data>;
  pipes<Data>(first: PipesOptions | PipeHandler<Data> = {}, second?: PipeHandler<Data>): PendingPipes<Data> {
    const [options, handler] = typeof first === "function" ? [{}, first] : [first, second];
    return new PendingPipes(this.#channel("receive pipes", (channels) => channels.pipes(options, handler)));
  }

  /**
   * Serves calls and messages through a socket, `run/<user>/<name>.sock`: others reach it with `bus.connect("@user/name")`. What the
   * handler returns is the answer; without one, iterate the result.
   *
   * One process of an account serves a name at a time. Needs the package `@agentbus/socket`.
   * @throws BusError ERR_PACKAGE_MISSING, ERR_PLATFORM, ERR_BUSY, ERR_PATH_TOO_LONG, ERR_ACCOUNT, ERR_ACCESS, ERR_SQUATTED, ERR_CLOSED;
   * TypeError for a name or options that cannot be
   */
  serve<Data = unknown>(name: string, handler: ServeHandler<Data>): PendingServer<Data>;
  serve<Data = unknown>(name: string, handler: ServeHandler<Data>, options: ServeOptions): PendingServer<Data>;
  serve<Data = unknown>(name: string, options?: ServeOptions, handler?: ServeHandler<Data>): PendingServer<Data>;
  serve<Data>(
    name: string,
    second: ServeHandler<Data> | ServeOptions = {},
    third?: ServeHandler<Data> | ServeOptions,
  ): PendingServer<Data> {
    const handler = typeof second === "function" ? second : third;
    const options = typeof second === "function" ? (third ?? {}) : second;
    return new PendingServer(
      this.#channel("serve", (channels) =>
        channels.serve(name, options as ServeOptions, handler as ServeHandler<Data> | undefined),
      ),
    );
  }

  /**
   * Connects to what an agent serves, "@codebot/search", and makes sure that it is that agent's process which does. A connection that is lost
   * is made again.
   *
   * Await the result to know that it is there, or call right away. Needs the package `@agentbus/socket`.
   * @throws BusError ERR_PACKAGE_MISSING, ERR_PLATFORM, ERR_NO_PEER, ERR_ADDRESS_UNKNOWN, ERR_SQUATTED, ERR_ACCESS, ERR_BUSY,
   * ERR_PATH_TOO_LONG, ERR_TOPIC_INVALID, ERR_CLOSED; TypeError for options that cannot be
   */
  connect<Data = unknown>(address: string, options: ConnectOptions = {}): PendingClient<Data> {
    return new PendingClient(
      this.#channel("connect", (channels) => channels.connect<Data>(address, options, this.#closing.signal)),
    );
  }

  /** Takes nothing more, lets handlers and publishes finish, and closes. */
  async drain(options: DrainOptions = {}): Promise<void> {
    this.#isClosing = true;
    await Promise.allSettled(this.#opening);
    await (await this.#receiver)?.drain(options);
    await this.#publisher.drain();
    await this.close();
  }

  /** Closes now: what is in work is put back, what waits for room is refused. Publishes that were handed in are finished. */
  close(): Promise<void> {
    this.#isClosing = true;
    return (this.#closed ??= this.#close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  async #close(): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#closing.abort();
    await Promise.allSettled(this.#opening);
    const receiver = await this.#receiver;
    try {
      await runAll([() => receiver?.closeSubscriptions(), () => this.#publisher.close(), () => receiver?.close()]);
    } catch (error) {
      throw fromErrno(error, "close the bus of", this.#spool.path);
    }
  }

  #subscribe<Data>(open: (receiver: Receiver) => Promise<Subscription<Data>>): Promise<Subscription<Data>> {
    return this.#open("subscribe", open);
  }

  #channel<Channel>(doing: string, open: (channels: Channels) => Promise<Channel>): Promise<Channel> {
    return this.#open(doing, (receiver) => open(receiver.channels()));
  }

  /** What is being opened is waited for before the bus closes. */
  #open<Opened>(doing: string, open: (receiver: Receiver) => Promise<Opened>): Promise<Opened> {
    const opening = this.#openNow(doing, open);
    this.#opening.add(opening);
    const forget = () => void this.#opening.delete(opening);
    opening.then(forget, forget);
    return opening;
  }

  async #openNow<Opened>(doing: string, open: (receiver: Receiver) => Promise<Opened>): Promise<Opened> {
    this.#requireOpen(doing);
    return open(await this.#receive());
  }

  #receive(): Promise<Receiver> {
    return (this.#receiver ??= this.#makeReceiver().catch((error: unknown) => {
      this.#receiver = undefined;
      throw fromErrno(error, "subscribe");
    }));
  }

  async #makeReceiver(): Promise<Receiver> {
    const { Receiver } = await loadLater(() => import("./receiver.js"));
    return new Receiver(this.#spool, this.#publisher, this.#receiverOptions);
  }

  #requireOpen(doing: string): void {
    if (this.#isClosing) throw new BusError("ERR_CLOSED", `cannot ${doing}: the bus is closed`);
  }
}
