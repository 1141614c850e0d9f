import type { Cause } from "./context.js";
import { expiryTime, timeStamp } from "./envelope.js";
import { flatJson } from "./flat-json.js";
import { isUlid } from "./message-name.js";
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
    if (now !== this.#now || attributes !== this.#attributes) {
      this.#middle = `${this.#beforeTime}${timeStamp(now)}${this.#afterTime}${attributes}"data":`;
      this.#now = now;
      this.#attributes = attributes;
    }
    return `${START}${id}${this.#middle}${json}}\n`;
  }
}

const START = `{"specversion":"1.0","id":"`;

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
