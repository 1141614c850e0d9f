import type { Cause } from "../context.js";
import type { EnvelopeOptions } from "../envelope.js";
import { MAX_TIMER_MS, refuseUnknownOptions, requireInteger, requireOneOf } from "../options.js";
import type { SyncLevel } from "./fan-out.js";
import type { FullPolicy } from "./parcel.js";
import type { Receipt } from "./receipt.js";

export interface PublishOptions extends EnvelopeOptions {
  /**
   * Repeats an earlier publish: subscriptions that have a message of this id already do not get it twice. 1 to 128 printable
   * ASCII characters. @default a new ULID
   */
  readonly id?: string | undefined;
  /** Of a direct message, which goes to an address and not to a topic. @default "direct" */
  readonly topic?: string | undefined;
  /** Makes it an error when nobody is subscribed. @default false */
  readonly mandatory?: boolean | undefined;
  /** Keeps a link to the message, so that `result.receipt` can tell when everybody has acknowledged. @default false */
  readonly receipt?: boolean | undefined;
  /** @default "error": whoever has room gets it, and ERR_BACKLOG names the others */
  readonly onFull?: FullPolicy | undefined;
  /** How long `onFull: "wait"` waits, in milliseconds. @default 30000 */
  readonly timeoutMs?: number | undefined;
  /** What "published" survives: "none" the death of any process, "full" a power cut. @default the bus's */
  readonly sync?: SyncLevel | undefined;
  /** The message that led to this one, where it is not published inside that message's handler. */
  readonly cause?: { readonly cause: Cause } | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PublishResult {
  readonly id: string;
  readonly topic: string;
  /** The subscriptions that store the message now, such as "alice~ci" or "queue:work". Empty when nobody is subscribed. */
  readonly subscriptions: readonly string[];
  /** The subscriptions that went without it, with `onFull: "drop"`. */
  readonly full: readonly string[];
  /** With `receipt: true`. */
  readonly receipt?: Receipt;
}

// prettier-ignore
const OPTIONS: ReadonlySet<string> = new Set([
  "id", "topic", "mandatory", "receipt", "onFull", "timeoutMs", "sync", "cause", "signal",
  "type", "subject", "priority", "expiresInMs", "correlationId", "replyTo", "traceparent", "tracestate",
  "dataContentType", "dataSchema", "dataRef", "sequence", "extensions",
] satisfies (keyof PublishOptions)[]);

export const NO_OPTIONS: PublishOptions = Object.freeze({});
export const DEFAULTS = Object.freeze({ onFull: "error", timeoutMs: 30_000 } as const);

/** @throws TypeError for what cannot be, or is not known */
export function checkOptions(options: PublishOptions): void {
  refuseUnknownOptions("publish", options, OPTIONS);
  requireOneOf("onFull", options.onFull, ["error", "wait", "drop"]);
  requireOneOf("sync", options.sync, ["none", "data", "full"]);
  requireInteger("priority", options.priority, 0, 9);
  requireInteger("timeoutMs", options.timeoutMs, 1, MAX_TIMER_MS);
}
