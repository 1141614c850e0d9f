import { setMaxListeners } from "node:events";
import {
  BusError,
  Deadlines,
  isAsyncIterable,
  Refusals,
  type Answer,
  type CallOptions,
  type ChannelCapabilities,
  type ChannelCounters,
  type ChannelHost,
  type ChannelMessage,
  type ChannelStatistics,
  type CompleteConnectOptions,
  type EnvelopeWriter,
  type SendOptions,
  type Sender,
  type Sent,
  type SocketClient,
  type WrittenEnvelope,
} from "@agentbus/core";
import { CAPABILITIES } from "../capabilities.js";
import { CallQueue } from "./call-queue.js";
import { Dialer } from "./dialer.js";
import { leftBy, unanswered } from "./link-end.js";
import { MAX_HEAD_BYTES } from "../wire/frames.js";
import { ROOM_BYTES } from "../wire/hello.js";
import { Incoming } from "../stream/incoming.js";
import type { Link, LinkHost } from "./link.js";
import type { Native } from "../place/native.js";
import { Outlet } from "../stream/outlet.js";
import { PendingCall, type CallHost } from "./pending-call.js";

export interface ClientParts {
  readonly host: ChannelHost;
  readonly native: Native;
  readonly server: Sender;
  readonly name: string;
  readonly options: CompleteConnectOptions;
}

/** A server that takes nothing for so long while something waits for it has the connection ended, in milliseconds. */
const STALL_MS = 30_000;
const DRAIN_MS = 30_000;
const MAX_TIMEOUT_MS = 2_147_483_647;

/** A connection to what an account serves, made again when it is lost. */
export class Client<Data> implements SocketClient<Data>, LinkHost, CallHost {
  readonly capabilities: ChannelCapabilities = CAPABILITIES;
  readonly stats: ChannelStatistics = { delivered: 0, refused: {}, expired: 0 };
  readonly host: ChannelHost;
  readonly server: Sender;
  readonly name: string;
  readonly to: string;
  readonly writer: EnvelopeWriter;
  readonly refusals: Refusals;
  readonly maxFrameBytes: number;
  readonly stallMs = STALL_MS;
  readonly #options: CompleteConnectOptions;
  readonly #sendDefaults: SendOptions;
  readonly #deadlines = new Deadlines();
  readonly #outlet: Outlet;
  readonly #pushes: Incoming<ChannelMessage<Data>>;
  readonly #queue = new CallQueue();
  /** Calls that are not answered, and answers that have not ended. */
  #open = 0;
  #link: Link | undefined;
  /** Earlier ones, whose servers have said that they are about to go, and answer what is under way. */
  readonly #leaving = new Set<Link>();
  #closing: Promise<void> | undefined;
  #isDraining = false;
  #failure: BusError | undefined;
  #onIdle: (() => void) | undefined;
  readonly #counters: ChannelCounters;
  readonly #unkeep: () => void;
  readonly #closed = new AbortController();
  readonly #dialer: Dialer;
  readonly #onAbort = () => void this.close();

  private constructor({ host, native, server, name, options }: ClientParts) {
    this.host = host;
    this.server = server;
    this.name = name;
    this.to = `@${server.user}/${name}`;
    this.#options = options;
    this.#sendDefaults = Object.freeze({ topic: name });
    this.writer = host.envelopesTo(`@${server.user}`);
    this.refusals = new Refusals(this.stats, `the client of ${this.to}`, options.onRefused);
    this.maxFrameBytes = host.spool.limits.maxEnvelopeBytes + MAX_HEAD_BYTES;
    this.#outlet = new Outlet((bytes) => this.count(1, bytes));
    this.#pushes = new Incoming(ROOM_BYTES, {
      grant: (bytes) => this.#link?.grantMessages(bytes),
      cancel: () => void this.close(),
      release: () => undefined,
    });
    this.#dialer = new Dialer(this, native, this.#closed.signal, () => this.#closedError("connect"));
    this.#counters = host.show({ kind: "socket", role: "client", peer: server.user, name });
    this.#unkeep = host.keep(this);
  }

  /** @throws as `openClient` */
  static async open<Data>(parts: ClientParts): Promise<Client<Data>> {
    const client = new Client<Data>(parts);
    try {
      const { signal, closing, waitMs } = parts.options;
      closing?.throwIfAborted();
      // A bus may have a thousand connections.
      if (closing !== undefined) setMaxListeners(0, closing);
      closing?.addEventListener("abort", client.#onAbort);
      signal?.addEventListener("abort", client.#onAbort);
      await client.#dial(waitMs);
      signal?.throwIfAborted();
    } catch (error) {
      await client.close();
      throw error;
    }
    return client;
  }

  get state(): "connected" | "reconnecting" | "closed" {
    if (this.#closing !== undefined || this.#failure !== undefined) return "closed";
    return this.#link === undefined ? "reconnecting" : "connected";
  }

  call<Reply>(data?: unknown, options?: CallOptions): Promise<Answer<Reply>> {
    try {
      this.#requireOpen("call");
      if (options === undefined) return this.#call(data, this.#sendDefaults, this.#options.timeoutMs, false);
      const { timeoutMs = this.#options.timeoutMs, idempotent = false, ...rest } = options;
      requireTimeout(timeoutMs);
      rest.signal?.throwIfAborted();
      return this.#call(data, { topic: this.name, ...rest }, timeoutMs, idempotent);
    } catch (error) {
      const reason = error as Error;
      return Promise.reject(reason);
    }
  }

  send(data: unknown, options?: SendOptions): Promise<Sent> {
    try {
      this.#requireOpen("send");
      const sending = options === undefined ? this.#sendDefaults : { topic: this.name, ...options };
      options?.signal?.throwIfAborted();
      const written = this.writer.write(data, sending);
      if (!(written instanceof Promise)) return this.#sendWritten(written, options?.signal);
      this.#open++;
      return written
        .then((ready) => this.#sendWritten(ready, options?.signal))
        .finally(() => {
          this.#open--;
          this.#lookIfIdle();
        });
    } catch (error) {
      const reason = error as Error;
      return Promise.reject(reason);
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<ChannelMessage<Data>, undefined> {
    return {
      next: async () => {
        const result = await this.#pushes.next();
        if (result.done !== true) this.stats.delivered++;
        return result;
      },
      return: async () => {
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }

  /** Waits for answers, and for messages to be on their way. */
  async drain({ timeoutMs = DRAIN_MS }: { readonly timeoutMs?: number | undefined } = {}): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    this.#isDraining = true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)));
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      this.#lookIfIdle();
    });
    const done = Promise.all([idle, this.#outlet.whenEmpty()]).then(() => this.#link?.connection.flushed());
    await Promise.race([done, late]);
    clearTimeout(timer);
    await this.close();
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  giveUp(call: PendingCall): void {
    if (this.#queue.remove(call)) return this.onCallEnd(call);
    for (const link of this.#links) link.calls.cancel(call);
  }

  /** Room is what the present connection has; what a server sends that is about to go is limited by its `Link`. */
  onPush(message: ChannelMessage, bytes: number, link: Link): boolean {
    return this.#pushes.push(message as ChannelMessage<Data>, link === this.#link ? bytes : 0);
  }

  onExpired(): void {
    this.stats.expired++;
  }

  /** It is answered in time, and may take as long as it likes. */
  onStream(call: PendingCall): void {
    this.#deadlines.delete(call);
  }

  onCallEnd(call: PendingCall): void {
    this.#deadlines.delete(call);
    this.#open--;
    if (!this.#queue.isEmpty) this.#sendQueued();
    if (this.#onIdle !== undefined || this.#leaving.size > 0) this.#lookIfIdle();
  }

  onRoom(): void {
    this.#outlet.flush();
  }

  /** Further calls go to the next server; the connection ends when those under way are answered. */
  onGoodbye(link: Link): void {
    link.leave();
    if (this.#link !== link) return;
    this.#leaving.add(link);
    this.#lookIfIdle();
    this.#loseLink(leftBy(this.to));
  }

  onLinkEnd(link: Link, error: BusError): void {
    // Otherwise nothing has gone through it, and whoever has made it deals with it.
    const isUsed = this.#link === link || this.#leaving.delete(link);
    if (!isUsed) return;
    const again: PendingCall[] = [];
    const mayReconnect = this.#closing === undefined && this.#failure === undefined && this.#options.reconnectMs > 0;
    for (const call of link.calls.take()) {
      // What a stream has sent is gone, and what it has received cannot be asked for again.
      const isRepeatable = call.isIdempotent && !call.isSettled && call.source === undefined;
      if (mayReconnect && isRepeatable) again.push(call);
      else this.#failCall(call, error);
    }
    this.#queue.putBack(again);
    if (this.#link === link) this.#loseLink(error);
    else if (this.#link !== undefined) this.#sendQueued();
    else if (this.#failure !== undefined && this.#leaving.size === 0) void this.close();
  }

  count(messages: number, bytes: number): void {
    this.#counters.messages += messages;
    this.#counters.bytes += bytes;
  }

  #dial(withinMs: number): Promise<void> {
    return this.#dialer.dial(withinMs, (link) => {
      this.#link = link;
      this.#pushes.renew();
      this.#outlet.attach(link.connection, link.room);
      this.#sendQueued();
    });
  }

  /** What comes from now on waits for another connection. */
  #loseLink(why: BusError): void {
    this.#link = undefined;
    this.#outlet.detach();
    if (this.#closing !== undefined) return;
    if (this.#options.reconnectMs === 0) return this.#giveUpAll(why);
    void this.#dial(this.#options.reconnectMs).catch((failure: unknown) => this.#giveUpAll(failure as BusError));
  }

  async #sendWritten({ id, text }: WrittenEnvelope, signal: AbortSignal | undefined): Promise<Sent> {
    await this.#outlet.send(text, signal);
    return { id };
  }

  #call<Reply>(data: unknown, options: SendOptions, timeoutMs: number, isIdempotent: boolean): Promise<Answer<Reply>> {
    const source = isAsyncIterable(data) ? data : undefined;
    const written = this.writer.write(source === undefined ? data : null, options);
    const { signal } = options;
    // Not async: what is thrown at once is for the caller, and an answer has no promise more on its way than it must.
    const start = ({ id, text }: WrittenEnvelope) => {
      const until = performance.now() + timeoutMs;
      const call = new PendingCall(this, { id, text, until, timeoutMs, isIdempotent, signal, source });
      this.#start(call);
      return call.answered as Promise<Answer<Reply>>;
    };
    return written instanceof Promise ? written.then(start) : start(written);
  }

  /** @throws BusError ERR_BACKLOG */
  #start(call: PendingCall): void {
    const link = this.#queue.isEmpty && this.#link?.isFree === true ? this.#link : undefined;
    if (link === undefined) this.#queue.add(call);
    this.#open++;
    this.#deadlines.add(call);
    link?.calls.send(call);
  }

  #sendQueued(): void {
    while (this.#link?.isFree === true) {
      const call = this.#queue.shift();
      if (call === undefined) return;
      this.#link.calls.send(call);
    }
  }

  #failCall(call: PendingCall, error: BusError): void {
    call.fail(error.code === "ERR_NO_PEER" && !call.isSettled ? unanswered(error, call.id) : error);
    this.onCallEnd(call);
  }

  /** There will be no further connection. What is under way with a server that is about to go is answered all the same. */
  #giveUpAll(error: BusError): void {
    if (this.#closing !== undefined) return;
    this.#failure = error;
    if (this.#leaving.size === 0) return void this.close();
    this.#failWaiting(error);
  }

  #failWaiting(error: BusError): void {
    for (const call of this.#queue.takeAll()) {
      call.fail(error);
      this.onCallEnd(call);
    }
    this.#outlet.failAll(error);
  }

  get #links(): Link[] {
    return this.#link === undefined ? [...this.#leaving] : [this.#link, ...this.#leaving];
  }

  #lookIfIdle(): void {
    for (const link of this.#leaving) if (link.isIdle) link.connection.end();
    if (this.#open === 0) this.#onIdle?.();
  }

  #requireOpen(doing: string): void {
    if (this.#closing !== undefined || this.#isDraining || this.#failure !== undefined) throw this.#closedError(doing);
  }

  #closedError(doing: string): BusError {
    return this.#failure ?? new BusError("ERR_CLOSED", `cannot ${doing}: the connection to ${this.to} is closed`);
  }

  async #close(): Promise<void> {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#options.closing?.removeEventListener("abort", this.#onAbort);
    this.#closed.abort();
    const error =
      this.#failure ?? new BusError("ERR_CLOSED", `the connection to ${this.to} was closed before the answer came`);
    const links = this.#links;
    for (const call of links.flatMap((link) => link.calls.take())) {
      call.fail(error);
      this.onCallEnd(call);
    }
    this.#failWaiting(error);
    this.#deadlines.clear();
    this.#pushes.end(this.#failure);
    for (const { connection } of links) connection.end();
    await Promise.all(links.map(({ connection }) => connection.ended));
    this.#counters.close();
    this.#unkeep();
  }
}

function requireTimeout(timeoutMs: number): void {
  if (Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= MAX_TIMEOUT_MS) return;
  throw new TypeError(`timeoutMs must be a whole number from 1 to ${MAX_TIMEOUT_MS}, not ${String(timeoutMs)}`);
}
