import { BusError } from "../errors.js";
import type { SyncLevel } from "./fan-out.js";

/** What is done when a subscription holds as many messages as it allows. */
export type FullPolicy = "error" | "wait" | "drop";

/** One envelope on its way into the spool. */
export interface Parcel {
  /** Set for a direct message. */
  readonly to: string | undefined;
  readonly topic: string;
  /** The ULID that places it among this publisher's messages. */
  readonly order: string;
  readonly priority: number;
  /** One line of JSON, with its newline. */
  readonly text: string;
  readonly sync: SyncLevel;
  readonly isMandatory: boolean;
  readonly keepsLink: boolean;
  readonly onFull: FullPolicy;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** What became of a parcel, by the labels of its subscriptions. */
export interface Outcome {
  readonly stored: readonly string[];
  readonly full: readonly string[];
  readonly failed: readonly { readonly label: string; readonly error: unknown }[];
  /** The publisher's own links, when it asked to keep them. */
  readonly keptPaths: readonly string[];
}

export const NOBODY: Outcome = Object.freeze({ stored: [], full: [], failed: [], keptPaths: [] });

export function closed(): BusError {
  return new BusError("ERR_CLOSED", "cannot publish: the bus is closed");
}

export function nobody(topic: string): BusError {
  return new BusError(
    "ERR_NO_SUBSCRIPTION",
    `cannot publish to ${topic}: nobody is subscribed, and the message is mandatory`,
    {
      fix: "agentbus status shows the subscriptions and their patterns",
    },
  );
}

export function goneAddress(address: string): BusError {
  return new BusError("ERR_ADDRESS_UNKNOWN", `cannot publish to ${address}: it was removed just now`);
}
