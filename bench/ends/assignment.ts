import type { Losses } from "./serials.js";
import type { TransportName } from "../transports/index.js";
import type { Place } from "../transports/transport.js";

/** What the two ends of one round are told: the same for both. */
export interface Assignment extends Place {
  readonly transport: TransportName;
  readonly bytes: number;
  /** How many subscriptions there are, all in the subscriber's process. */
  readonly subscribers: number;
  /** Messages before those that are measured. */
  readonly warmUp: number;
  /** It will send in turns with others, and rest in between: so it does while it warms up. */
  readonly rests: boolean;
  readonly count: number;
  /** By a schedule; null: as fast as they are accepted. */
  readonly perSecond: number | null;
  /** Without a schedule: how many may be sent and not yet accepted. 1 is one by one. */
  readonly window: number | null;
}

/** What a publisher saw of the messages that count. */
export interface Sent {
  readonly firstSentNs: number;
  readonly lastAcceptedNs: number;
  /** User and system time of its process. */
  readonly cpuUs: number;
}

/** What a subscriber saw of them. */
export interface Arrived {
  /** Of the first subscription, by serial number; empty without a schedule. */
  readonly latenciesNs: Float64Array;
  /** At all subscriptions. */
  readonly lastArrivedNs: number;
  /** Of all subscriptions together, and with the messages that warm up. */
  readonly losses: Losses;
}

/** What the bench says to an end. */
export type Order =
  /** To a publisher: send so many of those that count. */
  | { readonly kind: "start"; readonly count: number }
  /** To a subscriber: say "settled" once all messages up to this have arrived, or nothing comes any more. */
  | { readonly kind: "settle"; readonly upTo: number }
  | { readonly kind: "finish" };

/** What an end says to the bench. */
export type Word =
  | { readonly kind: "ready" }
  | { readonly kind: "warm" }
  | { readonly kind: "settled" }
  | ({ readonly kind: "sent" } & Sent)
  | ({ readonly kind: "arrived" } & Arrived)
  | { readonly kind: "answered"; readonly latenciesNs: Float64Array; readonly losses: Losses }
  | { readonly kind: "filled"; readonly wallMs: number }
  | ({ readonly kind: "consumed" } & Consumed)
  | { readonly kind: "failed"; readonly why: string };

/** What is told to whoever makes a backlog, and to whoever consumes it. */
export interface BacklogAssignment {
  readonly spoolDir: string;
  readonly bytes: number;
  readonly count: number;
  /** A file for each message, as publishers make that pause between messages; or as many in a file as agentbus puts there. */
  readonly isBursts: boolean;
}

export const BACKLOG_TOPIC = "bench.backlog";
/** The durable subscription where it waits. */
export const BACKLOG_NAME = "backlog";

/** What became of a backlog. */
export interface Consumed {
  readonly openedNs: number;
  readonly firstHandledNs: number;
  readonly lastHandledNs: number;
  readonly losses: Losses;
}
