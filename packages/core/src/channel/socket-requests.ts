import { isBusError, type ErrorCode } from "../errors.js";
import type { Answer, RequestOptions } from "../request/request.js";
import type { Spool } from "../spool.js";
import type { Channels } from "./channels.js";
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

/** What means that there is no socket to be used here, rather than that its server refuses. */
const NOT_OFFERED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "ERR_NO_PEER",
  "ERR_PACKAGE_MISSING",
  "ERR_PLATFORM",
  "ERR_PATH_TOO_LONG",
  "ERR_BARRED",
]);
/** What only the spool can promise. */
const OF_THE_SPOOL = ["sync", "onFull"] as const;
/** How long a server that is started again may take, in milliseconds; then the request goes by the spool. */
const RESTART_MS = 2_000;
const REQUEST_TIMEOUT_MS = 30_000;

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
  readonly #clients = new Map<string, Promise<SocketClient | undefined>>();

  constructor(spool: Spool, channels: () => Channels) {
    this.#spool = spool;
    this.#channels = channels;
  }

  /** @returns undefined when the spool has to do it @throws as `SocketClient.call`, but for ERR_NO_PEER */
  async request<Reply>(to: Questioned, data: unknown, options: RequestOptions): Promise<Answer<Reply> | undefined> {
    if (!this.#isOffered(to) || OF_THE_SPOOL.some((name) => options[name] !== undefined)) return undefined;
    const address = `@${to.user}/${to.name}`;
    const client = await this.#client(address);
    if (client === undefined) return undefined;
    const { sync: _, onFull: __, timeoutMs = REQUEST_TIMEOUT_MS, ...sending } = options;
    try {
      return await client.call<Reply>(data, { ...sending, topic: to.name, timeoutMs, idempotent: true });
    } catch (error) {
      if (!isBusError(error) || error.code !== "ERR_NO_PEER") throw error;
      return undefined;
    } finally {
      if (client.state === "closed") this.#clients.delete(address);
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
      return await this.#channels().connect(address, { reconnectMs: RESTART_MS });
    } catch (error) {
      if (isBusError(error) && NOT_OFFERED.has(error.code)) return undefined;
      throw error;
    }
  }
}
