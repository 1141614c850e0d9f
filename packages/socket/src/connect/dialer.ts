import { setTimeout as pause } from "node:timers/promises";
import { BusError } from "@agentbus/core";
import type { Native } from "../place/native.js";
import { reach } from "../place/reach.js";
import { Link, type LinkHost } from "./link.js";

/** Between two tries to connect: at first, and at most, in milliseconds. */
const FIRST_PAUSE_MS = 5;
const LAST_PAUSE_MS = 500;
/** What may mend itself: nobody is there yet, or too many are. */
const PASSING: readonly string[] = ["ERR_NO_PEER", "ERR_BUSY", "ERR_TIMEOUT"];

/** Makes connections to a server, one after the other. */
export class Dialer {
  readonly #client: LinkHost;
  readonly #native: Native;
  readonly #closed: AbortSignal;
  readonly #closedError: () => BusError;
  /** It grows also while connections are made, and lost at once. */
  #pauseMs = FIRST_PAUSE_MS;
  /** When there was a connection last, by performance.now(). */
  #dialledAt = -Infinity;

  /** @param closed aborted when there shall be no further connection @param closedError what it throws then */
  constructor(client: LinkHost, native: Native, closed: AbortSignal, closedError: () => BusError) {
    this.#client = client;
    this.#native = native;
    this.#closed = closed;
    this.#closedError = closedError;
  }

  /**
   * @param onLink told of the connection when the server has greeted, before anything else comes through it
   * @throws BusError the last reason, when it takes longer, or at once what does not mend itself
   */
  async dial(withinMs: number, onLink: (link: Link) => void): Promise<void> {
    const until = performance.now() + withinMs;
    if (performance.now() - this.#dialledAt > LAST_PAUSE_MS) this.#pauseMs = FIRST_PAUSE_MS;
    else await this.#pause(until);
    for (;;) {
      try {
        const link = await this.#dialOnce();
        this.#dialledAt = performance.now();
        return onLink(link);
      } catch (error) {
        if (this.#closed.aborted) throw this.#closedError();
        if (!PASSING.includes((error as BusError).code) || performance.now() >= until) throw error;
        await this.#pause(until);
      }
    }
  }

  async #dialOnce(): Promise<Link> {
    if (this.#closed.aborted) throw this.#closedError();
    const { host, server, name, to } = this.#client;
    const socket = await reach(host, this.#native, { user: server.user, name }, server.uid);
    const link = new Link(this.#client, socket);
    await link.greeted;
    if (!this.#closed.aborted && !link.isLeaving) return link;
    link.connection.destroy();
    if (this.#closed.aborted) throw this.#closedError();
    throw new BusError("ERR_NO_PEER", `what serves ${to} is about to go`, {
      fix: "try again, or say how long to wait for the next one: { waitMs }",
    });
  }

  async #pause(until: number): Promise<void> {
    // A little of its own, so that a thousand clients of a server that restarts do not all come at once.
    const ms = Math.min(until - performance.now(), this.#pauseMs * (0.5 + Math.random()));
    this.#pauseMs = Math.min(2 * this.#pauseMs, LAST_PAUSE_MS);
    try {
      await pause(ms, undefined, { signal: this.#closed });
    } catch {
      // Closed meanwhile: whoever dials looks.
    }
  }
}
