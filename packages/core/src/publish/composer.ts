import { currentCause, type Cause } from "../context.js";
import { composeEnvelope, DIRECT_TOPIC, type Envelope } from "../envelope.js";
import { BusError } from "../errors.js";
import { isNestedTooDeeply, MAX_NESTING } from "../nesting.js";
import type { Spool } from "../spool.js";
import { parseAddress, parseTopic } from "../topics.js";
import type { PublishOptions } from "./publish-options.js";

/** Makes an envelope, and its text, of what a publisher says; refuses what no receiver would take. */
export class Composer {
  readonly #spool: Spool;
  readonly #cause: Cause | undefined;

  /** @param cause what led to messages that are not published inside another one's handler */
  constructor(spool: Spool, cause: Cause | undefined) {
    this.#spool = spool;
    this.#cause = cause;
  }

  /** @throws BusError ERR_TOPIC_INVALID, ERR_ENVELOPE_INVALID, ERR_HOPS; TypeError */
  compose(destination: string, data: unknown, options: PublishOptions): Envelope {
    const to = destination.startsWith("@") ? destination : undefined;
    if (to !== undefined) parseAddress(to);
    else if (options.topic !== undefined) {
      throw new TypeError(`the option "topic" is for direct messages; "${destination}" is a topic already`);
    }
    const topic = parseTopic(to === undefined ? destination : (options.topic ?? DIRECT_TOPIC));
    const envelope = composeEnvelope(
      {
        id: options.id ?? this.#spool.names.ulid(),
        source: this.#spool.source,
        topic,
        to,
        data,
        cause: options.cause?.cause ?? currentCause() ?? this.#cause,
        now: Date.now(),
      },
      options,
    );
    const { maxHops } = this.#spool.limits;
    if ((envelope.hops ?? 0) > maxHops) {
      throw new BusError(
        "ERR_HOPS",
        `cannot publish to ${destination}: ${maxHops} messages led to this one already, each published because of the one before`,
        {
          fix: `look for agents that answer each other (agentbus tail '**'), or raise limits.maxHops in ${this.#spool.path}/spool.json`,
          details: { hops: envelope.hops, causationid: envelope.causationid, correlationid: envelope.correlationid },
        },
      );
    }
    return envelope;
  }

  /** One line of JSON. @throws BusError ERR_TOO_LARGE; TypeError */
  serialize(envelope: Envelope): string {
    let text: string;
    try {
      text = `${JSON.stringify(envelope)}\n`;
    } catch (cause) {
      throw new TypeError(`data cannot be written as JSON: ${(cause as Error).message}`, { cause });
    }
    const { maxEnvelopeBytes } = this.#spool.limits;
    // Each character takes three bytes at the most.
    const bytes = text.length * 3 <= maxEnvelopeBytes ? text.length : Buffer.byteLength(text);
    if (bytes > maxEnvelopeBytes) {
      throw new BusError(
        "ERR_TOO_LARGE",
        `cannot publish to ${envelope.to ?? envelope.topic}: ${bytes} bytes, and the spool takes at most ${maxEnvelopeBytes}`,
        {
          fix: "store the data in a file that the group may read and publish its path as dataRef",
        },
      );
    }
    if (isNestedTooDeeply(text)) {
      throw new BusError(
        "ERR_TOO_LARGE",
        `cannot publish to ${envelope.to ?? envelope.topic}: data is nested more than ${MAX_NESTING} levels deep`,
        { fix: "publish it flatter, or as text: JSON.stringify(data)" },
      );
    }
    return text;
  }
}
