import type { LatencyResult } from "./measure.js";
import { ratioOf, type Spread } from "../report/statistics.js";
import type { TransportName } from "../transports/index.js";

/** What the spool has to reach beside its peers, in one run. */
const BARS: readonly { readonly peer: TransportName; readonly atMost: number }[] = [
  { peer: "raw-socket", atMost: 2 },
  { peer: "naive-spool", atMost: 0.5 },
];

export interface Comparison {
  readonly peer: TransportName;
  /** The spool's p50 divided by the peer's. */
  readonly p50: Spread;
  readonly atMost: number;
  readonly isReached: boolean;
}

/** Compares with every peer that took part and lost nothing. */
export function compare(results: readonly LatencyResult[]): Comparison[] {
  const spool = results.find(({ transport }) => transport === "spool");
  if (spool === undefined) return [];
  return BARS.flatMap(({ peer, atMost }) => {
    const other = results.find(({ transport, isClean }) => transport === peer && isClean);
    if (other === undefined) return [];
    const p50 = ratioOf(medians(spool), medians(other));
    return [{ peer, p50, atMost, isReached: p50.median <= atMost }];
  });
}

function medians({ rounds }: LatencyResult): number[] {
  return rounds.map(({ p50 }) => p50);
}
