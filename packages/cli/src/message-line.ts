import type { Envelope, PeekedMessage, Refusal } from "@agentbus/core";
import type { painterFor } from "./colour.js";
import { printable, toJson } from "./printable.js";
import { formatDuration } from "./values.js";

/** What is shown of a message, however it came. */
export type ShownMessage = Pick<PeekedMessage, "envelope" | "sender" | "subscription" | "attempt">;

/** Columns grow with what they hold, up to this many characters; one long topic must not push everything aside. */
const MAX_COLUMN = 32;

/** The line of `--json`. */
export function messageAsJson({ envelope, sender, subscription, attempt }: ShownMessage): string {
  return toJson({ envelope, sender: { user: sender.user, uid: sender.uid }, subscription, attempt });
}

/** The line of `--json` for what was not delivered. */
export function refusalAsJson({ reason, detail, sender, file, subscription }: Refusal): string {
  return toJson({ refused: { reason, detail, sender: sender ?? null, file, subscription } });
}

/** Lines for people: time, topic, verified sender, how long it was under way, data. Remembers widths, to keep the columns straight. */
export class MessageLines {
  readonly #paint: ReturnType<typeof painterFor>;
  readonly #maxData: number;
  #topicWidth = 16;
  #senderWidth = 8;

  /** @param maxData characters of data that are shown; Infinity: all */
  constructor(paint: ReturnType<typeof painterFor>, maxData: number) {
    this.#paint = paint;
    this.#maxData = maxData;
  }

  /** @param arrivedMs when it was seen, in ms since 1970 */
  ofMessage({ envelope, sender, attempt }: ShownMessage, arrivedMs: number): string {
    const paint = this.#paint;
    this.#topicWidth = widthFor(envelope.topic, this.#topicWidth);
    this.#senderWidth = widthFor(sender.user, this.#senderWidth);
    const publishedMs = Date.parse(envelope.time);
    const facts = [
      ...(envelope.type === envelope.topic ? [] : [`type ${printable(envelope.type)}`]),
      ...(envelope.subject === undefined ? [] : [`about ${printable(envelope.subject)}`]),
      ...(envelope.hops === undefined ? [] : [`hop ${envelope.hops}`]),
      ...(attempt > 1 ? [`attempt ${attempt}`] : []),
    ];
    return [
      paint("dim", timeOfDay(arrivedMs)),
      paint("cyan", printable(envelope.topic).padEnd(this.#topicWidth)),
      paint("green", printable(sender.user).padEnd(this.#senderWidth)),
      paint("dim", formatDuration(arrivedMs - publishedMs).padStart(6)),
      ...(facts.length > 0 ? [paint("yellow", facts.join(", "))] : []),
      this.#data(envelope),
    ]
      .join("  ")
      .trimEnd();
  }

  ofRefusal({ reason, detail, sender, file }: Refusal, atMs: number): string {
    const who = sender === undefined ? "somebody" : (sender.user ?? `uid ${sender.uid}`);
    const words = `refused: ${reason}, from ${who}: ${detail} (${file})`;
    return `${this.#paint("dim", timeOfDay(atMs))}  ${this.#paint("red", printable(words))}`;
  }

  #data(envelope: Envelope): string {
    const text = dataAsText(envelope);
    if (text.length <= this.#maxData) return text;
    const left = text.length - this.#maxData;
    return `${text.slice(0, this.#maxData)}${this.#paint("dim", `… ${left} more characters (--json shows all)`)}`;
  }
}

function dataAsText({ data, data_base64: base64, datacontenttype: contentType, dataref }: Envelope): string {
  if (base64 !== undefined)
    return `<${Buffer.byteLength(base64, "base64")} bytes of ${printable(contentType ?? "data")}>`;
  if (data !== undefined) return toJson(data);
  return dataref === undefined ? "" : `<at ${printable(dataref)}>`;
}

function widthFor(text: string, width: number): number {
  return Math.max(width, Math.min(text.length, MAX_COLUMN));
}

function timeOfDay(ms: number): string {
  const date = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  const millis = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${millis}`;
}
