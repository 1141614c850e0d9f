import type { Cause } from "./context.js";
import { expiryTime, timeStamp } from "./envelope.js";
import { flatJson, writeFlatJson, type TextRoom } from "./flat-json.js";
import { isUlid, type UlidParts } from "./message-name.js";
import { isNestedTooDeeply } from "./nesting.js";

/**
 * Envelopes as text, one line, where all but id, time and data are the same or the bus's own, so that there is nothing to check: the
 * ones without options, requests, and answers to them. It is the text that `composeEnvelope` and JSON.stringify make.
 */
export class EnvelopeFrame {
  readonly #beforeTime: string;
  readonly #afterTime: string;
  /** From the id to the data, of the envelope before: those of a burst share their millisecond. */
  #middle = "";
  #now = Number.NaN;
  #attributes = "";
  /** As bytes: all that stands before the data, once it is needed; and the stem of the id in it. */
  #head: Buffer | undefined;
  #stem = "";

  /** @param topic and `to`, which have been parsed */
  constructor(source: string, type: string, topic: string, to: string | undefined) {
    this.#beforeTime = `","source":"${source}","type":"${type}","time":"`;
    this.#afterTime = `","topic":"${topic}",${to === undefined ? "" : `"to":"${to}",`}`;
  }

  /**
   * @param now in ms since 1970 @param attributes as `attributesOf` gives them
   * @returns undefined when JSON has no such text, or it is nested too deeply: `Composer` tells
   */
  text(id: string, now: number, attributes: string, data: unknown): string | undefined {
    const json = jsonOf(data);
    if (json === undefined || isNestedTooDeeply(json, 1)) return undefined;
    this.#stamp(now, attributes);
    return `${START}${id}${this.#middle}${json}}\n`;
  }

  /**
   * Writes the same text where it is to be, if its data are a flat object of ASCII (flat-json.ts).
   * @returns where it ends; 0 when there is not room for whatever it could be, or `text()` is needed. What is behind `at`
   *   has been written over then
   */
  write(id: UlidParts, now: number, attributes: string, data: unknown, room: TextRoom, at: number): number {
    this.#stamp(now, attributes);
    const { stem, tail } = id;
    if (this.#head === undefined || stem !== this.#stem) {
      this.#head = Buffer.from(`${START}${stem}${tail}${this.#middle}`);
      this.#stem = stem;
    }
    const tailAt = at + START.length + stem.length;
    const dataAt = at + this.#head.length;
    if (dataAt > room.bytes.length) return 0;
    room.bytes.set(this.#head, at);
    for (let i = 0; i < tail.length; i++) room.bytes[tailAt + i] = tail.charCodeAt(i);
    const dataEnd = writeFlatData(data, room, dataAt);
    if (dataEnd === 0) return 0;
    room.bytes[dataEnd] = CLOSING_BRACE;
    room.bytes[dataEnd + 1] = NEWLINE;
    return dataEnd + 2;
  }

  #stamp(now: number, attributes: string): void {
    if (now === this.#now && attributes === this.#attributes) return;
    this.#middle = `${this.#beforeTime}${timeStamp(now)}${this.#afterTime}${attributes}"data":`;
    this.#now = now;
    this.#attributes = attributes;
    this.#head = undefined;
  }
}

const START = `{"specversion":"1.0","id":"`;
/** Among the last 0, 1, 2 and 3 characters of `"data":`. */
const QUOTES_BEFORE_DATA = [0, 0, 1, 1] as const;
const CLOSING_BRACE = 0x7d;
const NEWLINE = 0x0a;

/** The type of what a responder answers. */
export function replyTypeOf(type: string): string {
  return `${type}.reply`;
}

/**
 * What the bus itself adds to an envelope, as text.
 * @param now in ms since 1970 @param cause what led to the message @param replyTo an address of this bus's own
 * @returns undefined when it is not that simple: `composeEnvelope` tells
 */
export function attributesOf(
  now: number,
  cause: Cause | undefined,
  replyTo: string | undefined,
  expiresInMs: number | undefined,
): string | undefined {
  const caused = cause === undefined ? "" : causedBy(cause);
  if (caused === undefined) return undefined;
  const answered = replyTo === undefined ? "" : `"replyto":"${replyTo}",`;
  const expires = expiresInMs === undefined ? "" : `"expirytime":"${expiryTime(now, expiresInMs)}",`;
  return caused + answered + expires;
}

/** undefined where a cause carries more, or other ids than this bus makes, which would have to be checked. */
function causedBy({ id, correlationId, hops, traceparent, tracestate }: Cause): string | undefined {
  if (traceparent !== undefined || tracestate !== undefined || !Number.isSafeInteger(hops)) return undefined;
  if (!isUlid(id) || (correlationId !== id && !isUlid(correlationId))) return undefined;
  return `"correlationid":"${correlationId}","causationid":"${id}","hops":${hops + 1},`;
}

/** undefined for what JSON has no text for. */
function jsonOf(data: unknown): string | undefined {
  try {
    // toJSON() is told the name of what it stands for; for anything else, an object around it costs a fourth of the text.
    if ((data as { toJSON?: unknown } | null)?.toJSON === undefined) {
      return (typeof data === "object" && data !== null ? flatJson(data) : undefined) ?? JSON.stringify(data);
    }
    const text = JSON.stringify({ data });
    return text === "{}" ? undefined : text.slice(`{"data":`.length, -1);
  } catch {
    return undefined;
  }
}

/** 0 for whatever is not flat, or throws. */
function writeFlatData(data: unknown, room: TextRoom, at: number): number {
  try {
    const isObject = typeof data === "object" && data !== null && (data as { toJSON?: unknown }).toJSON === undefined;
    return isObject ? writeFlatJson(data, room, at, QUOTES_BEFORE_DATA) : 0;
  } catch {
    return 0;
  }
}
