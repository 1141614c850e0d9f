/** What is measured, how often and for how long. All that a reader needs to judge the numbers is in it. */
export interface Plan {
  readonly seconds: number;
  /** Messages a second while latency is measured: a bus that is used, not one that is full. */
  readonly perSecond: number;
  /** Of an envelope. */
  readonly envelopeBytes: number;
  /** Messages on each transport before those that count, one by one. */
  readonly warmUp: number;
  /** Of latency: each measures every transport once. */
  readonly rounds: number;
  readonly messagesPerRound: number;
  /** Publishes that are not accepted yet, at most, while throughput is measured. */
  readonly window: number;
  readonly bursts: number;
  /** Publishing without a pause, at most; what is still on its way then is waited for. */
  readonly burstMs: number;
  /** For awaited publishes, and the same again for requests. */
  readonly inTurnMs: number;
}

const PER_SECOND = 500;
/** Rounds are short, so that what else a machine does falls on both transports alike; and two, so that there is a spread. */
const ROUNDS_PER_SECOND = 0.4;
const MIN_ROUNDS = 2;
const TRANSPORTS = 2;
/** V8 has compiled what it will by then. */
const MAX_WARM_UP = 15_000;
/** Nothing but the end of a burst limits how far a publisher runs ahead of a slower receiver. */
const BURST_MS = 500;

/** Shares the time out. @param seconds about how long all of it takes */
export function planFor(seconds: number): Plan {
  const rounds = Math.max(MIN_ROUNDS, Math.round(ROUNDS_PER_SECOND * seconds));
  return {
    seconds,
    perSecond: PER_SECOND,
    envelopeBytes: 512,
    warmUp: Math.min(MAX_WARM_UP, 200 * seconds),
    rounds,
    messagesPerRound: Math.round((0.48 * seconds * PER_SECOND) / (rounds * TRANSPORTS)),
    window: 1_024,
    bursts: Math.max(1, Math.round((0.15 * seconds * 1_000) / BURST_MS)),
    burstMs: BURST_MS,
    inTurnMs: 70 * seconds,
  };
}
