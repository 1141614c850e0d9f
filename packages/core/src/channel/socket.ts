import { MAX_TIMER_MS, refuseUnknownOptions, requireInteger } from "../options.js";
import type { Answer } from "../request/request.js";
import type {
  ChannelMessage,
  ChannelRefusal,
  ChannelStatistics,
  ReceivingEnd,
  SendingEnd,
  SendOptions,
  Sent,
} from "./channel.js";
import type { Sender } from "../deliver/judge.js";
import type { ChannelHost } from "./host.js";

export interface ServeOptions {
  /**
   * Who may connect, besides what the mode of the socket says: these accounts, and whoever is in one of these groups by the kernel's word.
   * @default every member of the spool's group
   */
  readonly allow?: SocketAllowance | undefined;
  /** Handlers that run at a time, for all peers together. @default 64 */
  readonly concurrency?: number | undefined;
  /** … and for the peers of one account, so that nobody takes all of them. @default a quarter of `concurrency`, at least 1 */
  readonly concurrencyPerUser?: number | undefined;
  /** Connections that one account may have open. @default 256 */
  readonly maxConnectionsPerUser?: number | undefined;
  /** How long a call may take, in milliseconds; then its `signal` is aborted, and whoever asked is told. @default as long as it takes */
  readonly timeoutMs?: number | undefined;
  /** Told of everything that came and was not delivered. @default a warning for the first of each sender and reason */
  readonly onRefused?: ((refusal: ChannelRefusal) => void) | undefined;
  /** Told when the handler of a message that nobody waits for fails. @default a warning */
  readonly onError?: ((error: unknown, message: SocketMessage) => void) | undefined;
  /** Closes the server. */
  readonly signal?: AbortSignal | undefined;
}

/** With their defaults. */
export type CompleteServeOptions = ServeOptions &
  Required<{ readonly [Name in "concurrency" | "concurrencyPerUser" | "maxConnectionsPerUser"]: number }>;

export interface SocketAllowance {
  readonly users?: readonly string[] | undefined;
  readonly groups?: readonly string[] | undefined;
}

/**
 * Answers a call with what it returns or what its promise becomes: data, or an async iterable, whose values are sent one after the
 * other as they are wanted. What it throws is told to whoever asked.
 */
export type ServeHandler<Data = unknown> = (message: SocketMessage<Data>) => unknown;

/** What comes in through a socket: a call, or a message that wants no answer. */
export interface SocketMessage<Data = unknown> extends ChannelMessage<Data> {
  /** Whether somebody waits for an answer. */
  readonly isCall: boolean;
  /** Aborted when whoever asked gives up, has gone, or the server closes. */
  readonly signal: AbortSignal;
  /** The client that it came from, as the end that messages to it go into. */
  readonly peer: SocketPeer;
  /** Answers a call, as the handler's return does; the first answer counts, and to a message that is no call none is sent. */
  reply(data: unknown): void;
  /** Answers a call with a failure. */
  fail(reason: string): void;
}

/** A client, as its server sees it. */
export interface SocketPeer {
  readonly sender: Sender;
  /** undefined where the kernel does not tell. */
  readonly pid: number | undefined;
  readonly connectedAt: Date;
  /** Sends a message to this client alone; waits while it is slow. @throws as `SendingEnd.send`, and ERR_NO_PEER when it has gone */
  send(data: unknown, options?: SendOptions): Promise<Sent>;
}

/** What a process serves, `run/<user>/<name>.sock`: the end that calls and messages come out of. */
export interface SocketServer<Data = unknown> extends ReceivingEnd<Data> {
  readonly name: string;
  /** What clients connect to: "@codebot/search". */
  readonly address: string;
  readonly path: string;
  /** The clients that are connected. */
  readonly peers: readonly SocketPeer[];
  readonly stats: Readonly<SocketStatistics>;
  /** Resolves when it is closed; rejects when it cannot go on. */
  readonly done: Promise<void>;
  /** Without a handler: the calls and the messages, each once. */
  [Symbol.asyncIterator](): AsyncIterator<SocketMessage<Data>, undefined>;
  /**
   * Sends a message to every client that has room for it, and waits for none.
   * @returns to how many, and how many were too slow to get it @throws as `SendingEnd.send`
   */
  push(data: unknown, options?: SendOptions): Promise<Pushed>;
}

export interface Pushed {
  readonly sent: number;
  readonly skipped: number;
}

export interface SocketStatistics extends ChannelStatistics {
  /** Connections since it was opened. */
  connections: number;
  /** Answers sent, failures among them. */
  answered: number;
  /** Messages sent to clients. */
  pushed: number;
  /** Messages that were not pushed to a client, because it was too slow. */
  skipped: number;
}

export interface ConnectOptions {
  /** How long to wait for the server to be there, in milliseconds; then ERR_NO_PEER. @default 0: it is, or it is not */
  readonly waitMs?: number | undefined;
  /** The same after a connection was lost; with 0 it is not made again. @default 30000 */
  readonly reconnectMs?: number | undefined;
  /** How long a call that does not say waits for its answer, in milliseconds. @default 30000 */
  readonly timeoutMs?: number | undefined;
  /** Told of everything that came from the server and was not delivered. @default a warning for the first of each reason */
  readonly onRefused?: ((refusal: ChannelRefusal) => void) | undefined;
  /** Closes the connection. */
  readonly signal?: AbortSignal | undefined;
}

/** With their defaults. */
export type CompleteConnectOptions = ConnectOptions &
  Required<{ readonly [Name in "waitMs" | "reconnectMs" | "timeoutMs"]: number }> & {
    /** Aborted when the bus begins to close. */
    readonly closing?: AbortSignal | undefined;
  };

export interface CallOptions extends SendOptions {
  /**
   * How long to wait for the answer, or for the beginning of one that is a stream, in milliseconds; then the call is cancelled at the
   * server, too. @default the connection's
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Doing it twice does no harm: when the connection is lost before the answer, the call is made again on the next one, under the same
   * id. Otherwise it fails with ERR_NO_PEER, since nobody knows how far it got. @default false
   */
  readonly idempotent?: boolean | undefined;
}

/** A connection to what another account serves: calls and messages go in, and messages that the server pushes come out. */
export interface SocketClient<Data = unknown> extends SendingEnd, ReceivingEnd<Data> {
  /** "@codebot/search". */
  readonly to: string;
  readonly state: "connected" | "reconnecting" | "closed";
  /** The account at the other end, verified. */
  readonly server: Sender;
  /**
   * Asks, and waits for the answer. `data` may be an async iterable, whose values are sent as the server takes them; so may be the
   * answer's: `for await (const hit of (await client.call(query)).data)`.
   * @throws BusError ERR_RESPONDER, ERR_TIMEOUT, ERR_NO_PEER, and as `send`; the signal's reason
   */
  call<Reply = unknown>(data?: unknown, options?: CallOptions): Promise<Answer<Reply>>;
}

/** What `@agentbus/socket` offers to a bus. */
export interface SocketPackage {
  /** @throws TypeError, BusError ERR_BUSY, ERR_ACCESS, ERR_SQUATTED, ERR_PLATFORM, ERR_PATH_TOO_LONG, ERR_BARRED … */
  openServer<Data>(
    host: ChannelHost,
    name: string,
    options: CompleteServeOptions,
    handler: ServeHandler<Data> | undefined,
  ): Promise<SocketServer<Data>>;
  /** @throws TypeError, BusError ERR_NO_PEER, ERR_ADDRESS_UNKNOWN, ERR_ACCESS, ERR_SQUATTED, ERR_PLATFORM, ERR_BARRED … */
  openClient<Data>(host: ChannelHost, address: string, options: CompleteConnectOptions): Promise<SocketClient<Data>>;
}

const SERVE_OPTIONS: ReadonlySet<string> = new Set([
  "allow",
  "concurrency",
  "concurrencyPerUser",
  "maxConnectionsPerUser",
  "timeoutMs",
  "onRefused",
  "onError",
  "signal",
] satisfies (keyof ServeOptions)[]);
const ALLOWANCE: ReadonlySet<string> = new Set(["users", "groups"] satisfies (keyof SocketAllowance)[]);
const CONNECT_OPTIONS: ReadonlySet<string> = new Set([
  "waitMs",
  "reconnectMs",
  "timeoutMs",
  "onRefused",
  "signal",
] satisfies (keyof ConnectOptions)[]);

const SERVE_DEFAULTS = Object.freeze({ concurrency: 64, maxConnectionsPerUser: 256 });
const CONNECT_DEFAULTS = Object.freeze({ waitMs: 0, reconnectMs: 30_000, timeoutMs: 30_000 });

/** @throws TypeError for what cannot be, or is not known */
export function completeServeOptions(options: ServeOptions): CompleteServeOptions {
  refuseUnknownOptions("serve", options, SERVE_OPTIONS);
  requireInteger("concurrency", options.concurrency, 1, 100_000);
  requireInteger("concurrencyPerUser", options.concurrencyPerUser, 1, 100_000);
  requireInteger("maxConnectionsPerUser", options.maxConnectionsPerUser, 1, 1_000_000);
  requireInteger("timeoutMs", options.timeoutMs, 1, MAX_TIMER_MS);
  if (options.allow !== undefined) checkAllowance(options.allow);
  const { concurrency = SERVE_DEFAULTS.concurrency } = options;
  const { maxConnectionsPerUser = SERVE_DEFAULTS.maxConnectionsPerUser } = options;
  const { concurrencyPerUser = Math.max(1, concurrency >> 2) } = options;
  return { ...options, concurrency, concurrencyPerUser, maxConnectionsPerUser };
}

function checkAllowance(allow: SocketAllowance): void {
  refuseUnknownOptions("allow", allow, ALLOWANCE);
  for (const [name, list] of Object.entries(allow)) {
    if (list !== undefined && !(Array.isArray(list) && list.every((each) => typeof each === "string"))) {
      throw new TypeError(`allow.${name} is a list of names`);
    }
  }
}

/** @throws TypeError for what cannot be, or is not known */
export function completeConnectOptions(options: ConnectOptions): CompleteConnectOptions {
  refuseUnknownOptions("connect", options, CONNECT_OPTIONS);
  requireInteger("waitMs", options.waitMs, 0, MAX_TIMER_MS);
  requireInteger("reconnectMs", options.reconnectMs, 0, MAX_TIMER_MS);
  requireInteger("timeoutMs", options.timeoutMs, 1, MAX_TIMER_MS);
  const { waitMs = CONNECT_DEFAULTS.waitMs, reconnectMs = CONNECT_DEFAULTS.reconnectMs } = options;
  const { timeoutMs = CONNECT_DEFAULTS.timeoutMs } = options;
  return { ...options, waitMs, reconnectMs, timeoutMs };
}
