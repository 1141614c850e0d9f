import { currentCause, type Cause } from "../context.js";
import { isJson, plainEnvelopeText } from "../envelope.js";
import { moment } from "../freshness.js";
import { isNestedTooDeeply } from "../nesting.js";
import type { Spool } from "../spool.js";
import type { Outbox } from "./outbox.js";
import type { Route } from "./routes.js";

/** Appended by a route, or to be sent once more. */
export interface Sent {
  readonly id: string;
  readonly text: string;
  readonly route: Route;
  /** False when some may have it and some may not. */
  readonly isStored: boolean;
}

/**
 * The short way of the usual message: data without options, to a topic that another went to a moment ago.
 *
 * It does what the long way does (publisher.ts, outbox.ts, committer.ts), and asks nothing again that was found out within the last
 * tenth of a second; what is true for 10 ms only is looked up as there. Between two messages a processor forgets most of a program,
 * so what counts here is how much of it is touched.
 */
export class Express {
  readonly #spool: Spool;
  readonly #outbox: Outbox;

  constructor(spool: Spool, outbox: Outbox) {
    this.#spool = spool;
    this.#outbox = outbox;
  }

  /** @returns undefined when it has to go the long way; then nothing has happened */
  send(topic: string, data: unknown, cause: Cause | undefined): Sent | undefined {
    const now = moment();
    const route = this.#outbox.routeTo(topic, now);
    if (route === undefined || cause !== undefined || !isJson(data) || currentCause() !== undefined) return undefined;
    const id = this.#spool.names.ulid(now.wall);
    const text = plainEnvelopeText(id, this.#spool.source, topic, now.wall, data);
    if (text === undefined || isNestedTooDeeply(text)) return undefined;
    // Each character takes three bytes at the most.
    if (text.length * BYTES_OF_CHARACTER > this.#spool.limits.maxEnvelopeBytes) return undefined;
    const isStored = this.#outbox.sendBy(route, text, text.length * BYTES_OF_CHARACTER, now);
    return isStored === undefined ? undefined : { id, text, route, isStored };
  }
}

const BYTES_OF_CHARACTER = 3;
