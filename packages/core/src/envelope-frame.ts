import type { Cause } from "./context.js";
import { expiryTime, timeStamp } from "./envelope.js";
import { isUlid } from "./message-name.js";

/** What the bus itself says about a message, beside what its frame holds. */
export interface FrameFacts {
  readonly id: string;
  /** In ms since 1970. */
  readonly now: number;
  readonly cause: Cause | undefined;
  /** An address of this bus's own. */
  readonly replyTo: string | undefined;
  readonly expiresInMs: number | undefined;
}

/**
 * Envelopes as text, one line, where all but id, time and data are the same or the bus's own, so that there is nothing to check: the
 * ones without options, requests, and answers to them. It is the text that `composeEnvelope` and JSON.stringify make.
 */
export class EnvelopeFrame {
  readonly #beforeTime: string;
  readonly #afterTime: string;

  /** @param topic and `to`, which have been parsed */
  constructor(source: string, type: string, topic: string, to: string | undefined) {
    this.#beforeTime = `","source":"${source}","type":"${type}","time":"`;
    this.#afterTime = `","topic":"${topic}",${to === undefined ? "" : `"to":"${to}",`}`;
  }

  /** @returns undefined when there is no such text, or it is not that simple: `composeEnvelope` tells */
  text(facts: FrameFacts, data: unknown): string | undefined {
    const member = memberOf(data);
    const attributes = attributesOf(facts);
    if (member === undefined || attributes === undefined) return undefined;
    const time = timeStamp(facts.now);
    return START + facts.id + this.#beforeTime + time + this.#afterTime + attributes + member;
  }
}

/** The type of what a responder answers. */
export function replyTypeOf(type: string): string {
  return `${type}.reply`;
}

const START = `{"specversion":"1.0","id":"`;

/** `"data":…` and what ends the line; undefined for what JSON has no text for. */
function memberOf(data: unknown): string | undefined {
  try {
    // As a member, because toJSON() is told the name of what it stands for.
    const text = JSON.stringify({ data });
    return text === "{}" ? undefined : `${text.slice(1)}\n`;
  } catch {
    return undefined;
  }
}

function attributesOf({ now, cause, replyTo, expiresInMs }: FrameFacts): string | undefined {
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
