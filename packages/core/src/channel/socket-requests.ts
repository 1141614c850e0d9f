import { BusError, isBusError, type ErrorCode } from "../errors.js";
import { closedMeanwhile } from "../request/reply-mailbox.js";
import { REQUEST_TIMEOUT_MS, type Answer, type RequestOptions } from "../request/request.js";
import { STREAM_ANSWER } from "../request/respond.js";
import { responderFailure } from "../request/responder-failure.js";
import type { Spool } from "../spool.js";
import type { Channels } from "./channels.js";
import { isAsyncIterable } from "./iterable.js";
import type { SocketClient } from "./socket.js";

/** Where a request goes that an account may answer through a socket. */
export interface Questioned {
  readonly user: string;
  /** The name of the socket, and the topic of the request where it goes by the spool. */
  readonly name: string;
}

const WITH_NAME = /^@([A-Za-z0-9_][A-Za-z0-9._-]{0,63})\/([A-Za-z0-9_-]{1,64})$/;
const ADDRESS = /^@([A-Za-z0-9_][A-Za-z0-9._-]{0,63})$/;
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** What means that there is no socket to be used now, rather than that its server refuses. */
const NOT_OFFERED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "ERR_NO_PEER",
  "ERR_BUSY",
  "ERR_PACKAGE_MISSING",
  "ERR_PLATFORM",
  "ERR_PATH_TOO_LONG",
  "ERR_BARRED",
]);
/** What only the spool can promise. */
const OF_THE_SPOOL = ["sync", "onFull"] as const;
/** How long a server that is started again may take, in milliseconds; then the request goes by the spool. */
const RESTART_MS = 2_000;

/** "@codebot/search", or "@codebot" with the topic "search". @returns undefined for what no socket can stand for */
export function questioned(destination: string, topic: string | undefined): Questioned | undefined {
  const [, named, name] = WITH_NAME.exec(destination) ?? [];
  if (named !== undefined && name !== undefined) return { user: named, name };
  const [, user] = topic === undefined || !NAME.test(topic) ? [] : (ADDRESS.exec(destination) ?? []);
  return user === undefined || topic === undefined ? undefined : { user, name: topic };
}

/**
 * Requests that go through a socket, where the responder offers one: a file says so, and the connection stays for the next. A server
 * that goes in the middle leaves the request to the spool; a responder may thus be asked twice, as by the spool itself.
 */
export class SocketRequests {
  readonly #spool: Spool;
  readonly #channels: () => Channels;
  /** Those that are open, or being opened. */
  readonly #clients = new Map<string, Promise<SocketClient | undefined>>();
  readonly #connected = new Map<string, SocketClient>();

  constructor(spool: Spool, channels: () => Channels) {
    this.#spool = spool;
    this.#channels = channels;
  }

  /**
   * @param late what it throws when no answer has come in time
   * @returns undefined when the spool has to do it @throws as a request by the spool
   */
  async request<Reply>(
    to: Questioned,
    data: unknown,
    options: RequestOptions,
    late: () => BusError,
  ): Promise<Answer<Reply> | undefined> {
    if (!this.#isOffered(to) || OF_THE_SPOOL.some((name) => options[name] !== undefined)) return undefined;
    const { sync: _, onFull: __, timeoutMs = REQUEST_TIMEOUT_MS, ...sending } = options;
    const until = performance.now() + timeoutMs;
    const address = `@${to.user}/${to.name}`;
    try {
      const client = this.#known(address) ?? (await before(until, options.signal, this.#client(address)));
      if (client === undefined) return undefined;
      const left = Math.max(1, Math.ceil(until - performance.now()));
      return plain(await client.call<Reply>(data, { ...sending, topic: to.name, timeoutMs: left, idempotent: true }));
    } catch (error) {
      if (!isBusError(error)) throw error;
      if (NOT_OFFERED.has(error.code)) return undefined;
      if (error.code === "ERR_TIMEOUT") throw late();
      throw error.code === "ERR_CLOSED" ? closedMeanwhile() : error;
    }
  }

  #isOffered({ user, name }: Questioned): boolean {
    try {
      return this.#spool.fileSystem.hasEntry(`${this.#spool.path}/run/${user}/${name}.sock`);
    } catch {
      // It cannot be seen.
      return false;
    }
  }

  #known(address: string): SocketClient | undefined {
    const client = this.#connected.get(address);
    if (client?.state !== "closed") return client;
    this.#connected.delete(address);
    this.#clients.delete(address);
    return undefined;
  }

  #client(address: string): Promise<SocketClient | undefined> {
    const known = this.#clients.get(address);
    if (known !== undefined) return known;
    const opening = this.#open(address);
    this.#clients.set(address, opening);
    const forget = () => void this.#clients.delete(address);
    opening.then((client) => client ?? forget(), forget);
    return opening;
  }

  async #open(address: string): Promise<SocketClient | undefined> {
    try {
      const client = await this.#channels().connect(address, { reconnectMs: RESTART_MS });
      this.#connected.set(address, client);
      return client;
    } catch (error) {
      // A server that was stopped does not even say hello; the spool keeps the request for it.
      if (isBusError(error) && (NOT_OFFERED.has(error.code) || error.code === "ERR_TIMEOUT")) return undefined;
      throw error;
    }
  }
}

/** @throws BusError ERR_TIMEOUT; the signal's reason */
async function before<Value>(until: number, signal: AbortSignal | undefined, opening: Promise<Value>): Promise<Value> {
  signal?.throwIfAborted();
  let stop: (() => void) | undefined;
  const interrupted = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new BusError("ERR_TIMEOUT", "no connection")), until - performance.now());
    const onAbort = () => reject(signal?.reason as Error);
    signal?.addEventListener("abort", onAbort);
    stop = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
  });
  try {
    return await Promise.race([opening, interrupted]);
  } finally {
    stop?.();
  }
}

/** A stream needs somebody who stays connected. @throws BusError ERR_RESPONDER */
function plain<Reply>(answer: Answer<Reply>): Answer<Reply> {
  const { data, sender, topic } = answer;
  if (!isAsyncIterable(data)) return answer;
  void data[Symbol.asyncIterator]().return?.();
  throw responderFailure({ sender, topic, data: null }, STREAM_ANSWER);
}
