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
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS)) {
      try {
        return onLink(await this.#dialOnce());
      } catch (error) {
        if (this.#closed.aborted) throw this.#closedError();
        const left = until - performance.now();
        if (!PASSING.includes((error as BusError).code) || left <= 0) throw error;
        // A little of its own, so that a thousand clients of a server that restarts do not all come at once.
        await this.#sleep(Math.min(left, pauseMs * (0.5 + Math.random())));
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

  async #sleep(ms: number): Promise<void> {
    try {
      await pause(ms, undefined, { signal: this.#closed });
    } catch {
      // Closed meanwhile: the loop looks.
    }
  }
}
