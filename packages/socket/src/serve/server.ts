import { createServer, type Server as NetServer, type Socket } from "node:net";
import {
  BusError,
  Refusals,
  type ChannelCapabilities,
  type ChannelCounters,
  type ChannelHost,
  type CompleteServeOptions,
  type Pushed,
  type SendOptions,
  type ServeHandler,
  type SocketMessage,
  type SocketPeer,
  type SocketServer,
  type SocketStatistics,
} from "@agentbus/core";
import { Accounts } from "./accounts.js";
import { CAPABILITIES } from "../capabilities.js";
import { Doorkeeper } from "./doorkeeper.js";
import { Handling } from "./handling.js";
import { Hall } from "./hall.js";
import { MAX_HEAD_BYTES } from "../wire/frames.js";
import { listenAt, type Installed } from "../place/listen.js";
import { LeaveTaking } from "./leave-taking.js";
import type { Native } from "../place/native.js";
import type { ServedMessage } from "./served-message.js";
import { Session, type SessionHost } from "./session.js";

/** A client that takes nothing of what waits for it for so long has its connection ended, in milliseconds. */
const STALL_MS = 30_000;
/** How long `drain()` waits unless it is told, in milliseconds. */
const DRAIN_MS = 30_000;
/** Connections that wait to be accepted; the kernel's own limit (net.core.somaxconn) may be lower. */
const BACKLOG = 1_024;

export interface ServerParts<Data> {
  readonly host: ChannelHost;
  readonly native: Native;
  readonly name: string;
  readonly options: CompleteServeOptions;
  readonly handler: ServeHandler<Data> | undefined;
}

/** What one process serves under one name: it lets clients in, and gives what they send to the handler or to whoever iterates. */
export class Server<Data> implements SocketServer<Data>, SessionHost {
  readonly capabilities: ChannelCapabilities = CAPABILITIES;
  readonly isReceiving = true;
  readonly stats: SocketStatistics = {
    delivered: 0,
    refused: {},
    expired: 0,
    connections: 0,
    answered: 0,
    pushed: 0,
    skipped: 0,
  };
  readonly host: ChannelHost;
  readonly name: string;
  readonly refusals: Refusals;
  readonly maxFrameBytes: number;
  readonly stallMs = STALL_MS;
  readonly done: Promise<void>;
  readonly #options: CompleteServeOptions;
  /** undefined where the server is iterated. */
  readonly #handling: Handling<Data> | undefined;
  readonly #doorkeeper: Doorkeeper;
  readonly #listener: NetServer;
  readonly #sessions = new Set<Session>();
  readonly #hall = new Hall<Data>(
    () => this.close(),
    () => this.#lookIfIdle(),
  );
  readonly #counters: ChannelCounters;
  readonly #unkeep: () => void;
  readonly #onAbort = () => void this.close();
  #installed: Installed | undefined;
  #cancelAtExit: (() => void) | undefined;
  #isDraining = false;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;
  #finish!: () => void;

  private constructor({ host, native, name, options, handler }: ServerParts<Data>) {
    this.host = host;
    this.name = name;
    this.#options = options;
    this.refusals = new Refusals(this.stats, `the socket ${name}`, options.onRefused);
    this.maxFrameBytes = host.spool.limits.maxEnvelopeBytes + MAX_HEAD_BYTES;
    if (handler !== undefined) {
      const [onBegin, onIdle] = [() => void this.stats.delivered++, () => this.#lookIfIdle()];
      this.#handling = new Handling({ host, address: this.address, options, handler, onBegin, onIdle });
    }
    this.#doorkeeper = new Doorkeeper(host, native, options.allow, new Accounts(options.maxConnectionsPerUser));
    this.#listener = createServer({ pauseOnConnect: true }, (socket) => void this.#admit(socket));
    // Of accepting one connection, such as EMFILE: the others go on.
    this.#listener.on("error", () => undefined);
    this.done = new Promise((resolve) => (this.#finish = resolve));
    this.#counters = host.show({ kind: "socket", role: "server", peer: null, name });
    this.#unkeep = host.keep(this);
  }

  /** @throws as `openServer` */
  static async open<Data>(parts: ServerParts<Data>): Promise<Server<Data>> {
    const server = new Server<Data>(parts);
    try {
      await server.#listen(parts);
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  get address(): string {
    return `@${this.host.user}/${this.name}`;
  }

  get path(): string {
    return this.#installed?.path ?? "";
  }

  get peers(): readonly SocketPeer[] {
    return [...this.#sessions].map(({ peer }) => peer);
  }

  async push(data: unknown, options?: SendOptions): Promise<Pushed> {
    if (this.#closing !== undefined) throw closed(this.address);
    let sent = 0;
    let skipped = 0;
    for (const session of [...this.#sessions]) {
      // An envelope bears its receiver's address, so each has its own.
      const { text } = await session.write(data, options);
      if (session.tryPush(text)) sent++;
      else if (!session.connection.isOver) skipped++;
    }
    this.stats.skipped += skipped;
    return { sent, skipped };
  }

  [Symbol.asyncIterator](): AsyncIterator<SocketMessage<Data>, undefined> {
    if (this.#handling !== undefined)
      throw new TypeError(`${this.address} has a handler, so there is nothing to iterate`);
    return this.#hall;
  }

  async drain({ timeoutMs = DRAIN_MS }: { readonly timeoutMs?: number | undefined } = {}): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    this.#isDraining = true;
    this.#stopListening();
    const leaveTaking = new LeaveTaking(this.#sessions);
    leaveTaking.begin();
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      timer = setTimeout(resolve, timeoutMs);
      this.#lookIfIdle();
    });
    clearTimeout(timer);
    leaveTaking.end();
    await this.close();
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  onMessage(message: ServedMessage, session: Session, onConsumed: () => void): void {
    if (this.#handling !== undefined) {
      return this.#handling.add(message as ServedMessage<Data>, session, onConsumed);
    }
    this.#hall.put(message as ServedMessage<Data>, () => {
      onConsumed();
      if (!message.isAborted) this.stats.delivered++;
      return !message.isAborted;
    });
  }

  count(messages: number, bytes: number): void {
    this.#counters.messages += messages;
    this.#counters.bytes += bytes;
  }

  onSessionEnd(session: Session): void {
    this.#sessions.delete(session);
    this.#doorkeeper.leave(session.account);
    this.#lookIfIdle();
  }

  async #listen({ host, native, name }: ServerParts<Data>): Promise<void> {
    this.#installed = await listenAt(host, native, name, this.#listener, BACKLOG);
    this.#cancelAtExit = host.atExit(() => this.#installed?.remove());
    const { signal } = this.#options;
    signal?.throwIfAborted();
    signal?.addEventListener("abort", this.#onAbort);
  }

  async #admit(socket: Socket): Promise<void> {
    const facts = await this.#doorkeeper.admit(socket);
    if ("reason" in facts) {
      this.#counters.refused++;
      return this.refusals.add(facts);
    }
    if (this.#isDraining || this.#closing !== undefined || socket.destroyed) {
      this.#doorkeeper.leave(facts.account);
      return void socket.destroy();
    }
    this.stats.connections++;
    this.#sessions.add(new Session(this, socket, facts));
    socket.resume();
  }

  #lookIfIdle(): void {
    const isIdle = this.#sessions.size === 0 && this.#handling?.isIdle !== false && this.#hall.isEmpty;
    if (isIdle) this.#onIdle?.();
  }

  /** The file first: while somebody listens, nobody else takes its place. */
  #stopListening(): void {
    this.#cancelAtExit?.();
    this.#cancelAtExit = undefined;
    this.#installed?.remove();
    this.#listener.close();
  }

  async #close(): Promise<void> {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#stopListening();
    this.#hall.shut();
    const sessions = [...this.#sessions];
    for (const session of sessions) session.close();
    await Promise.all(sessions.map(({ connection }) => connection.ended));
    // Whoever sees the end of the loop may take it that the clients have seen theirs.
    this.#hall.end();
    this.#counters.close();
    this.#unkeep();
    this.#finish();
  }
}

function closed(address: string): BusError {
  return new BusError("ERR_CLOSED", `cannot push: ${address} is closed`);
}
