import { distributionOf, medianOf, type Distribution } from "./distribution.js";
import { histogramOf, type Bucket } from "./histogram.js";
import type { Lane } from "./lane.js";
import { inTurn, sendOneByOne, sendPaced, sendPipelined, type Send } from "./load.js";
import { nowNs } from "./payload.js";
import type { Plan } from "./plan.js";
import { TRANSPORTS, type Transport } from "./receivers.js";
import type { Check } from "./serial-check.js";

/** One way, from before a publish to the first statement of the handler in the other process. */
export interface Latency extends Distribution {
  readonly rounds: readonly Distribution[];
  readonly histogram: readonly Bucket[];
}

/** From the first publish to the handler of the last, as many a second. */
export interface Throughput {
  /** The median of the bursts. */
  readonly perSecond: number;
  readonly bursts: readonly { readonly messages: number; readonly perSecond: number }[];
}

/** Of what is done one after another. */
export interface InTurn extends Distribution {
  readonly perSecond: number;
}

export interface Measurements {
  readonly latency: Readonly<Record<Transport, Latency>>;
  readonly throughput: Throughput;
  readonly awaited: InTurn;
  readonly request: InTurn;
  readonly check: Readonly<Record<Transport, Check>>;
}

/** What is measured. */
export interface Ways extends Readonly<Record<Transport, Lane>> {
  /** Asks, and waits for the answer. */
  readonly request: Send;
}

export type Report = (progress: string) => void;

/**
 * Between messages that warm up, in milliseconds: what matters is how often code has run, and nobody likes to wait; but several at once would go
 * another way through the spool than the single ones that are measured.
 */
export const WARM_UP_EVERY_MS = 0.3;

/** One thing after another. @throws what a publish or a receiving end failed with */
export async function measure(plan: Plan, ways: Ways, report: Report): Promise<Measurements> {
  const latency = await measureLatency(plan, ways, report);
  report("throughput");
  const throughput = await measureThroughput(plan, ways.spool);
  report("awaited publishes");
  const awaited = await measureInTurn(plan, ways.spool, ways.spool.send);
  report("requests");
  const request = await measureInTurn(plan, ways.spool, ways.request);
  const check = { spool: (await ways.spool.arrivals()).check, socket: (await ways.socket.arrivals()).check };
  return { latency, throughput, awaited, request, check };
}

/** Rounds interleave, A B A B, so that a machine that becomes slower or faster on the way does so for both. */
async function measureLatency(plan: Plan, ways: Ways, report: Report): Promise<Record<Transport, Latency>> {
  const { perSecond, warmUp, rounds, messagesPerRound } = plan;
  report("warming up");
  for (const transport of TRANSPORTS) {
    await sendOneByOne(warmUp, WARM_UP_EVERY_MS, ways[transport].send);
    await ways[transport].arrivals();
  }
  const samplesNs: Record<Transport, (readonly number[])[]> = { spool: [], socket: [] };
  for (let round = 1; round <= rounds; round++) {
    for (const transport of TRANSPORTS) {
      report(`latency, round ${round} of ${rounds}: ${transport}`);
      await sendPaced(messagesPerRound, perSecond, ways[transport].send);
      samplesNs[transport].push((await ways[transport].arrivals()).latenciesNs);
    }
  }
  return { spool: latencyOf(samplesNs.spool), socket: latencyOf(samplesNs.socket) };
}

function latencyOf(rounds: readonly (readonly number[])[]): Latency {
  const all = rounds.flat();
  return { ...distributionOf(all), rounds: rounds.map(distributionOf), histogram: histogramOf(all) };
}

async function measureThroughput({ bursts, burstMs, window }: Plan, lane: Lane): Promise<Throughput> {
  const measured: { messages: number; perSecond: number }[] = [];
  while (measured.length < bursts) {
    const startNs = nowNs();
    const messages = await sendPipelined(burstMs, window, lane.send);
    const { lastAtNs } = await lane.arrivals();
    measured.push({ messages, perSecond: perSecondOf(messages, lastAtNs - startNs) });
  }
  return { perSecond: medianOf(measured.map(({ perSecond }) => perSecond)), bursts: measured };
}

/** In bursts as well: a loop that awaits publishes leaves the event loop no turn, and a receiver may be slower. */
async function measureInTurn({ inTurnMs, burstMs }: Plan, lane: Lane, action: Send): Promise<InTurn> {
  await inTurn(Math.min(burstMs, inTurnMs / 5), action);
  const burstsNs: number[][] = [];
  for (let leftMs = inTurnMs; leftMs > 0; leftMs -= burstMs) {
    await lane.arrivals();
    burstsNs.push(await inTurn(Math.min(burstMs, leftMs), action));
  }
  const tookNs = burstsNs.flat();
  const sumNs = tookNs.reduce((sum, each) => sum + each, 0);
  return { perSecond: perSecondOf(tookNs.length, sumNs), ...distributionOf(tookNs) };
}

function perSecondOf(count: number, ns: number): number {
  return Math.round((count * 1e9) / ns);
}
