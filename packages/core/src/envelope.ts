import { BusError } from "./errors.js";
import type { Cause } from "./context.js";
import { isUlid } from "./message-name.js";
import { validateEnvelope } from "./generated/validators.js";
import { TimeStamps } from "./time-stamp.js";

export const DEFAULT_PRIORITY = 5;
/** The topic of a direct message whose sender named none. */
export const DIRECT_TOPIC = "direct";

/**
 * One message as it stands on the disk: a CloudEvents 1.0 event in its JSON format
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md), described by
 * `schemas/envelope.schema.json`. Attributes that are not named here pass through untouched.
 */
export interface Envelope<Data = unknown> {
  readonly specversion: "1.0";
  /** A ULID when agentbus made it; unique together with `source`. */
  readonly id: string;
  /** `/agents/<user>`; a receiver compares it with the owner of the file. */
  readonly source: string;
  /** The topic, unless the publisher named a type. */
  readonly type: string;
  /** RFC 3339. */
  readonly time: string;
  readonly topic: string;
  /** `@user` of a direct message. */
  readonly to?: string;
  readonly subject?: string;
  readonly datacontenttype?: string;
  readonly dataschema?: string;
  readonly dataref?: string;
  readonly data?: Data;
  /** Binary data, base64. */
  readonly data_base64?: string;
  readonly correlationid?: string;
  readonly causationid?: string;
  readonly replyto?: string;
  /** On a reply: why the responder failed. */
  readonly replyerror?: string;
  readonly traceparent?: string;
  readonly tracestate?: string;
  /** RFC 3339; from then on the message is not delivered. */
  readonly expirytime?: string;
  readonly sequence?: string;
  /** 0 most urgent … 9. @default 5 */
  readonly priority?: number;
  /** How many messages led to this one. @default 0 */
  readonly hops?: number;
  readonly [extension: string]: unknown;
}

/** What a publisher says about a message beyond topic and data. */
export interface EnvelopeOptions {
  /** @default the topic */
  readonly type?: string | undefined;
  readonly subject?: string | undefined;
  /** 0 most urgent … 9. @default 5 */
  readonly priority?: number | undefined;
  /** Milliseconds from now after which nobody receives it any more. @default never */
  readonly expiresInMs?: number | undefined;
  /** @default that of the message being handled, or its id */
  readonly correlationId?: string | undefined;
  /** An address that answers go to. */
  readonly replyTo?: string | undefined;
  /** W3C trace context. @default that of the message being handled */
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  /** @default "application/octet-stream" for a Uint8Array, else absent, which means JSON */
  readonly dataContentType?: string | undefined;
  /** An absolute URI. */
  readonly dataSchema?: string | undefined;
  readonly dataRef?: string | undefined;
  readonly sequence?: string | undefined;
  /**
   * Further CloudEvents attributes: names of a-z and 0-9, which CloudEvents wants to have at most 20 characters; values are
   * strings, whole numbers or booleans.
   */
  readonly extensions?: Readonly<Record<string, string | number | boolean>> | undefined;
}

export interface EnvelopeFacts {
  readonly id: string;
  readonly source: string;
  readonly topic: string;
  readonly to?: string | undefined;
  readonly data: unknown;
  readonly cause?: Cause | undefined;
  readonly now: number;
}

/**
 * Composes an envelope and checks it against the schema.
 * @throws BusError ERR_ENVELOPE_INVALID naming the attribute that is wrong
 */
export function composeEnvelope(facts: EnvelopeFacts, options: EnvelopeOptions): Envelope {
  const { id, source, topic, to, data, cause, now } = facts;
  const time = timeStamp(now);
  // The usual message says nothing that could be wrong: topic and address have been parsed, the rest is ours.
  if (cause === undefined && isUlid(id) && to === undefined && isJson(data) && !hasAttributes(options)) {
    return { specversion: "1.0", id, source, type: topic, time, topic, data };
  }
  const envelope: Record<string, unknown> = {
    specversion: "1.0",
    id,
    source,
    type: options.type ?? topic,
    time,
    topic,
  };
  set(envelope, "to", to);
  set(envelope, "subject", options.subject);
  set(envelope, "priority", options.priority);
  set(envelope, "correlationid", options.correlationId ?? cause?.correlationId);
  set(envelope, "causationid", cause?.id);
  set(envelope, "hops", cause === undefined ? undefined : cause.hops + 1);
  set(envelope, "replyto", options.replyTo);
  set(envelope, "traceparent", options.traceparent ?? cause?.traceparent);
  set(envelope, "tracestate", options.tracestate ?? cause?.tracestate);
  const { expiresInMs } = options;
  set(envelope, "expirytime", expiresInMs === undefined ? undefined : expiryTime(now, expiresInMs));
  set(envelope, "sequence", options.sequence);
  set(envelope, "dataschema", options.dataSchema);
  set(envelope, "dataref", options.dataRef);
  for (const [name, value] of Object.entries(options.extensions ?? {})) setExtension(envelope, name, value);
  setData(envelope, data, options.dataContentType);
  if (!validateEnvelope(envelope)) throw invalid(describeErrors());
  return envelope as unknown as Envelope;
}

// prettier-ignore
const ATTRIBUTES: ReadonlySet<string> = new Set([
  "type", "subject", "priority", "expiresInMs", "correlationId", "replyTo", "traceparent", "tracestate",
  "dataContentType", "dataSchema", "dataRef", "sequence", "extensions",
] satisfies (keyof EnvelopeOptions)[]);

function hasAttributes(options: EnvelopeOptions): boolean {
  for (const name in options) if (ATTRIBUTES.has(name)) return true;
  return false;
}

/** What the schema has against the value that it was shown last: one line, for a person. */
export function describeErrors(): string {
  return (validateEnvelope.errors ?? [])
    .slice(0, 3)
    .map((error) => `${error.instancePath.slice(1) || "the envelope"} ${error.message ?? "is wrong"}`)
    .join("; ");
}

/** The data as the receiver's handler sees it: decoded when it was binary. */
export function dataOf(envelope: Envelope): unknown {
  return envelope.data_base64 === undefined ? envelope.data : Buffer.from(envelope.data_base64, "base64");
}

/** `alice` of `/agents/alice`; undefined for any other source. */
export function userOfSource(source: string): string | undefined {
  return source.startsWith("/agents/") ? source.slice("/agents/".length) : undefined;
}

export function priorityOf(envelope: Envelope): number {
  return envelope.priority ?? DEFAULT_PRIORITY;
}

const TIMES = new TimeStamps();
const EXPIRIES = new TimeStamps();
const LAST_MS = Date.parse("9999-12-31T23:59:59.999Z");

/** @param ms since 1970 @returns RFC 3339 */
export function timeStamp(ms: number): string {
  return TIMES.of(ms);
}

function set(envelope: Record<string, unknown>, name: string, value: unknown): void {
  if (value !== undefined) envelope[name] = value;
}

function setExtension(envelope: Record<string, unknown>, name: string, value: unknown): void {
  if (Object.hasOwn(envelope, name) || RESERVED.has(name)) {
    throw invalid(`extensions.${name} is an attribute that the bus or another option sets`);
  }
  // defineProperty, because assigning "__proto__" would change the prototype instead.
  Object.defineProperty(envelope, name, { value, enumerable: true, configurable: true, writable: true });
}

const RESERVED = new Set([
  ...[
    "data",
    "data_base64",
    "datacontenttype",
    "dataschema",
    "dataref",
    "subject",
    "to",
    "priority",
    "hops",
    "sequence",
  ],
  ...["correlationid", "causationid", "replyto", "traceparent", "tracestate", "expirytime"],
]);

/** Whether data is written as it is: no bytes, and nothing that JSON does not know. */
export function isJson(data: unknown): boolean {
  if (typeof data === "object") return !(data instanceof Uint8Array);
  return typeof data === "string" || typeof data === "number" || typeof data === "boolean";
}

function setData(envelope: Record<string, unknown>, data: unknown, contentType: string | undefined): void {
  if (data instanceof Uint8Array) {
    envelope["datacontenttype"] = contentType ?? "application/octet-stream";
    envelope["data_base64"] = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
    return;
  }
  set(envelope, "datacontenttype", contentType);
  if (typeof data === "function" || typeof data === "symbol" || typeof data === "bigint") {
    throw new TypeError(`data of type ${typeof data} cannot be written as JSON`);
  }
  set(envelope, "data", data);
}

/** @throws BusError ERR_ENVELOPE_INVALID when there is no such time */
export function expiryTime(now: number, expiresInMs: number): string {
  const at = Math.floor(now + expiresInMs);
  // The last moment that Date knows of is in the year 275760, but RFC 3339 ends with 9999.
  if (!(expiresInMs > 0) || !(at <= LAST_MS)) {
    throw invalid(`expiresInMs must be a positive number of milliseconds, not ${String(expiresInMs)}`);
  }
  return EXPIRIES.of(at);
}

function invalid(why: string): BusError {
  return new BusError("ERR_ENVELOPE_INVALID", `cannot publish: ${why}`, {
    fix: "see docs/protocol.md for the attributes of an envelope",
  });
}
