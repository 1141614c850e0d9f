import type { Envelope } from "../envelope.js";
import { validateEnvelope } from "../generated/validators.js";
import { isUlid, ULID_LENGTH } from "../message-name.js";
import { isNestedTooDeeply } from "../nesting.js";
import { LineShape } from "./line-shape.js";

const HEAD = '{"specversion":"1.0","id":"';
/** From the beginning of the line. */
const ID_START = HEAD.length;
const ID_END = ID_START + ULID_LENGTH;
/** specversion, id, source, type, time, topic, data: what a publish without options writes; a direct message has `to` besides. */
const ATTRIBUTES = 7;
const MINUTE_LENGTH = "2026-01-31T12:59:".length;
const SECONDS_LENGTH = "07.004Z".length;
const END_LENGTH = "}\n".length;
const CLOSING = "}".charCodeAt(0);
const NEWLINE = "\n".charCodeAt(0);

/** All of a line but its id, seconds and data. */
export interface LinePattern {
  /** The same, for bytes. */
  readonly shape: LineShape | undefined;
  /** From the id to the seconds; empty when no line is known. */
  readonly middle: string;
  /** From the seconds to the data. */
  readonly rest: string;
  readonly source: string;
  readonly topic: string;
  readonly to: string | undefined;
  readonly minute: string;
}

const NO_PATTERN: LinePattern = Object.freeze({
  shape: undefined,
  middle: "",
  rest: "",
  source: "",
  topic: "",
  to: undefined,
  minute: "",
});

/**
 * Reads the line that most messages are: what a publish without options writes, from the publisher, to the topic and of the minute of
 * the line before.
 *
 * Such a line has an id, seconds and data of its own; the text between is known, and known to fit the schema. So only the data is
 * parsed, if that, and the schema's validator not asked. Since the data is JSON by itself, the whole line is, and nothing in it can come twice.
 * Any other line is for the parser and the validator.
 */
export class PlainLines {
  #pattern = NO_PATTERN;

  /** What the last line that `read()` gave goes by: the same object as long as all but id, seconds and data stays the same. */
  get pattern(): LinePattern {
    return this.#pattern;
  }

  /**
   * @param text flat rather than a part of another: it is looked at character by character
   * @param start of the line in it @param end behind the line's own end
   * @returns a fit envelope, the one that the line holds; undefined when it is another kind of line
   */
  read(text: string, start: number, end: number): Envelope | undefined {
    const idAt = start + HEAD.length;
    const middleAt = idAt + ULID_LENGTH;
    const { middle, rest } = this.#pattern;
    const secondsAt = middleAt + middle.length;
    const restAt = secondsAt + SECONDS_LENGTH;
    const dataAt = restAt + rest.length;
    const dataEnd = end - 2;
    if (middle === "" || dataAt >= dataEnd) return undefined;
    if (text.charCodeAt(dataEnd) !== CLOSING || text.charCodeAt(dataEnd + 1) !== NEWLINE) return undefined;
    // startsWith() would take three times as long.
    if (text.slice(middleAt, secondsAt) !== middle || text.slice(restAt, dataAt) !== rest) return undefined;
    const id = text.slice(idAt, middleAt);
    if (text.slice(start, idAt) !== HEAD || !isUlid(id) || !isSeconds(text, secondsAt)) return undefined;
    const data = parse(text.slice(dataAt, dataEnd));
    return data === undefined ? undefined : this.#envelope(copied(id), text.slice(secondsAt, restAt), data);
  }

  /**
   * The same for a line that comes alone, and is the fastest then (line-shape.ts): all but its data is never a text.
   * @param length of the line at the beginning of `bytes` @returns undefined for another kind of line, and for one that is not ASCII
   */
  readAlone(bytes: Buffer, length: number): Envelope | undefined {
    const { shape, middle } = this.#pattern;
    if (shape === undefined || !shape.fits(bytes, length)) return undefined;
    if (!shape.hasPlainData(bytes, length)) return undefined;
    const json = bytes.toString("latin1", shape.length, length - END_LENGTH);
    const data = isNestedTooDeeply(json, 1) ? undefined : parse(json);
    if (data === undefined) return undefined;
    const id = bytes.toString("latin1", ID_START, ID_END);
    return this.#envelope(id, readSeconds(bytes, ID_END + middle.length), data);
  }

  #envelope(id: string, seconds: string, data: unknown): Envelope {
    const { source, topic, to, minute } = this.#pattern;
    const time = minute + seconds;
    if (to !== undefined) return { specversion: "1.0", id, source, type: topic, time, topic, to, data };
    return { specversion: "1.0", id, source, type: topic, time, topic, data };
  }

  /** Takes a line as the pattern of those to come, if it is such a line. @param value it, parsed @returns whether it is, and fits the schema */
  learn(line: string, value: unknown): boolean {
    if (typeof value !== "object" || value === null) return false;
    const { source, type, time, topic, to, data } = value as Record<string, unknown>;
    if (typeof source !== "string" || typeof time !== "string" || typeof topic !== "string") return false;
    if (to !== undefined && typeof to !== "string") return false;
    const attributes = to === undefined ? ATTRIBUTES : ATTRIBUTES + 1;
    if (type !== topic || data === undefined || Object.keys(value).length !== attributes) return false;
    const minute = time.slice(0, MINUTE_LENGTH);
    const middle = `","source":${JSON.stringify(source)},"type":${JSON.stringify(topic)},"time":"${minute}`;
    const addressed = to === undefined ? "" : `"to":${JSON.stringify(to)},`;
    const rest = `","topic":${JSON.stringify(topic)},${addressed}"data":`;
    // Spelled in another way, it is no pattern.
    if (!line.startsWith(middle, ID_END) || !line.startsWith(rest, ID_END + middle.length + SECONDS_LENGTH))
      return false;
    if (!validateEnvelope(value)) return false;
    const shape = new LineShape(HEAD, middle, rest);
    this.#pattern = { shape, middle, rest, source, topic, to, minute };
    return true;
  }
}

const SECONDS = Array.from({ length: 60 }, (_, seconds) => String(seconds).padStart(2, "0"));
const THOUSANDTHS = Array.from({ length: 1_000 }, (_, ms) => `.${String(ms).padStart(3, "0")}Z`);

/** `07.004Z`, which stands there. */
function readSeconds(bytes: Buffer, at: number): string {
  const digit = (i: number) => (bytes[at + i] as number) - ZERO;
  return `${SECONDS[digit(0) * 10 + digit(1)]}${THOUSANDTHS[digit(3) * 100 + digit(4) * 10 + digit(5)]}`;
}

/** undefined for what is no JSON. */
function parse(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}

const ZERO = "0".charCodeAt(0);
const NINE = ZERO + 9;

/** `07.004Z`, where none is a leap second. */
function isSeconds(text: string, at: number): boolean {
  return (
    isDigit(text, at, ZERO + 5) &&
    isDigit(text, at + 1) &&
    text[at + 2] === "." &&
    isDigit(text, at + 3) &&
    isDigit(text, at + 4) &&
    isDigit(text, at + 5) &&
    text[at + 6] === "Z"
  );
}

function isDigit(text: string, at: number, last = NINE): boolean {
  const code = text.charCodeAt(at);
  return code >= ZERO && code <= last;
}

/** V8 copies parts of up to twelve characters; a longer one would keep all of the text for as long as it is kept itself. */
function copied(id: string): string {
  return id.slice(0, 12) + id.slice(12, 24) + id.slice(24);
}
