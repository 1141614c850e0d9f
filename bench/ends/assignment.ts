import type { Losses } from "./serials.js";
import type { TransportName } from "../transports/index.js";

/** What the two ends of one round are told: the same for both. */
export interface Assignment {
  readonly transport: TransportName;
  /** Empty at first, but for what the transport's `start()` made. */
  readonly dir: string;
  readonly envelopeBytes: number;
  readonly perSecond: number;
  /** Messages before those that are measured. */
  readonly warmUp: number;
  readonly count: number;
}

/** What a publisher or a subscriber says to the bench. */
export type Word =
  | { readonly kind: "ready" }
  | { readonly kind: "sent" }
  | { readonly kind: "arrived"; readonly latenciesNs: Float64Array; readonly losses: Losses }
  | { readonly kind: "failed"; readonly why: string };
