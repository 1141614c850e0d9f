import { currentCause, type Cause } from "../context.js";
import { isJson } from "../envelope.js";
import { attributesOf } from "../envelope-frame.js";
import { moment, type Moment } from "../freshness.js";
import type { Spool } from "../spool.js";
import type { Outbox } from "./outbox.js";
import type { Route } from "./routes.js";

/** Appended by a route, or to be sent once more. */
export interface Sent {
  readonly id: string;
  readonly topic: string;
  readonly text: string;
  readonly route: Route;
  /** False when some may have it and some may not. */
  readonly isStored: boolean;
}

/** What a message is, beside its data, where the bus alone says so. */
export interface Header {
  readonly to: string | undefined;
  readonly topic: string;
  readonly type: string;
  /** undefined for one that is to be made. */
  readonly id: string | undefined;
  /** What led to it; undefined for the message being handled, or for none. */
  readonly cause: Cause | undefined;
  readonly replyTo: string | undefined;
  readonly expiresInMs: number | undefined;
}

/**
 * The short way of the usual message: one without options, a request, or an answer, to where another went a moment ago.
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

  /**
   * @param cause of what nothing else led to
   * @returns undefined when it has to go the long way; then nothing has happened
   */
  send(header: Header, data: unknown, cause: Cause | undefined): Sent | undefined {
    const now = moment();
    const route = this.#outbox.routeTo(header.to, header.topic, now);
    const frame = route?.frameFor(header.type);
    if (route === undefined || frame === undefined || !isJson(data)) return undefined;
    const because = header.cause ?? currentCause() ?? cause;
    if (because !== undefined && because.hops >= this.#spool.limits.maxHops) return undefined;
    const attributes = attributesOf(now.wall, because, header.replyTo, header.expiresInMs);
    if (attributes === undefined) return undefined;
    const id = header.id ?? this.#spool.names.ulid(now.wall);
    const text = frame.text(id, now.wall, attributes, data);
    return text === undefined ? undefined : this.#append(route, id, text, now);
  }

  #append(route: Route, id: string, text: string, now: Moment): Sent | undefined {
    // Each character takes three bytes at the most.
    if (text.length * BYTES_OF_CHARACTER > this.#spool.limits.maxEnvelopeBytes) return undefined;
    const isStored = this.#outbox.sendBy(route, text, text.length * BYTES_OF_CHARACTER, now);
    return isStored === undefined ? undefined : { id, topic: route.topic, text, route, isStored };
  }
}

const BYTES_OF_CHARACTER = 3;
