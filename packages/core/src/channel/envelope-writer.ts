import { currentCause, type Cause } from "../context.js";
import { DIRECT_TOPIC, isJson } from "../envelope.js";
import { attributesOf, EnvelopeFrame } from "../envelope-frame.js";
import { refuseUnknownOptions } from "../options.js";
import { Composer } from "../publish/composer.js";
import { SchemaGate } from "../publish/schema-gate.js";
import type { Spool } from "../spool.js";
import { isTopic } from "../topics.js";
import { whenReady } from "../when-ready.js";
import type { SendOptions } from "./channel.js";
import type { EnvelopeRoom, EnvelopeWriter, WrittenEnvelope } from "./host.js";

// prettier-ignore
const OPTIONS: ReadonlySet<string> = new Set([
  "topic", "cause", "signal",
  "type", "subject", "priority", "expiresInMs", "correlationId", "replyTo", "traceparent", "tracestate",
  "dataContentType", "dataSchema", "dataRef", "sequence", "extensions",
] satisfies (keyof SendOptions)[]);

const NO_OPTIONS: SendOptions = Object.freeze({});
const BYTES_OF_CHARACTER = 3;

/** Writes the envelopes that go through a channel to one address: the usual one as a text with gaps to fill in, any other by the composer. */
export class AddressedEnvelopeWriter implements EnvelopeWriter {
  readonly #spool: Spool;
  readonly #to: string;
  readonly #cause: Cause | undefined;
  readonly #composer: Composer;
  readonly #gate: SchemaGate;
  #topic = "";
  #frame!: EnvelopeFrame;

  /** @param to which has been parsed @param cause what led to messages that are not sent inside another one's handler */
  constructor(spool: Spool, to: string, cause: Cause | undefined) {
    this.#spool = spool;
    this.#to = to;
    this.#cause = cause;
    this.#composer = new Composer(spool, cause);
    this.#gate = new SchemaGate(spool.schemas);
  }

  write(data: unknown, options: SendOptions = NO_OPTIONS): WrittenEnvelope | Promise<WrittenEnvelope> {
    if (options !== NO_OPTIONS) refuseUnknownOptions("send", options, OPTIONS);
    return this.#writePlain(data, options) ?? this.#compose(data, options);
  }

  writeInto(room: EnvelopeRoom, data: unknown): string | undefined {
    const now = Date.now();
    const attributes = this.#attributesOfPlain(data, DIRECT_TOPIC, now);
    if (attributes === undefined) return undefined;
    const id = this.#spool.names.ulidInParts(now);
    const end = this.#frame.write(id, now, attributes, data, room, room.end);
    if (end === 0 || end - room.end > this.#spool.limits.maxEnvelopeBytes) return undefined;
    room.end = end;
    return id.stem + id.tail;
  }

  #writePlain(data: unknown, options: SendOptions): WrittenEnvelope | undefined {
    for (const name in options) if (name !== "topic" && name !== "signal") return undefined;
    const now = Date.now();
    const attributes = this.#attributesOfPlain(data, options.topic ?? DIRECT_TOPIC, now);
    if (attributes === undefined) return undefined;
    const id = this.#spool.names.ulid(now);
    const text = this.#frame.text(id, now, attributes, data);
    if (text === undefined || text.length * BYTES_OF_CHARACTER > this.#spool.limits.maxEnvelopeBytes) return undefined;
    return { id, text };
  }

  /** Sees to the frame as well. @returns undefined for what only the composer makes, or refuses */
  #attributesOfPlain(data: unknown, topic: string, now: number): string | undefined {
    if (!this.#gate.isOpen || !isJson(data) || this.#spool.schemas.knows(topic)) return undefined;
    const cause = currentCause() ?? this.#cause;
    if (cause !== undefined && cause.hops >= this.#spool.limits.maxHops) return undefined;
    if (topic !== this.#topic) {
      if (!isTopic(topic)) return undefined;
      this.#topic = topic;
      this.#frame = new EnvelopeFrame(this.#spool.source, topic, topic, this.#to);
    }
    return attributesOf(now, cause, undefined, undefined);
  }

  #compose(data: unknown, options: SendOptions): WrittenEnvelope | Promise<WrittenEnvelope> {
    const envelope = this.#composer.compose(this.#to, data, options);
    const text = this.#composer.serialize(envelope);
    return whenReady(this.#gate.pass(envelope, text), () => ({ id: envelope.id, text }));
  }
}
