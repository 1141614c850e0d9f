import { setTimeout as delay } from "node:timers/promises";
import { runOneWay } from "../rounds/one-way.js";
import { activityOf, type Activity } from "../report/process-activity.js";
import type { Contestant, Scenario } from "./scenario.js";
import { transportContestants, type TransportRound } from "./transport-round.js";

const TAKES_PART = new Set(["spool", "raw-socket", "redis-pubsub", "nats-core", "lossy"]);
const COMMON = { bytes: 512, perSecond: 100, window: null, subscribers: 1, count: 1, warmUp: 20 };
/**
 * For what the warm-up leaves to be done, in milliseconds. V8 collects garbage once more, on four threads, some 8 seconds after a process
 * has come to rest (its memory reducer): 60 wake-ups and 25 ms, whatever the transport.
 */
const BEFORE_MS = { full: 15_000, quick: 1_000 };

const IDLING: TransportRound = {
  takesPart: ({ name }) => TAKES_PART.has(name),
  measure: async (assignment, { leftovers }, { durationMs = 0 }) => {
    let metrics: Record<string, number> = {};
    const whileIdle = async (publisherPid: number, subscriberPid: number) => {
      metrics = await watch(publisherPid, subscriberPid, durationMs);
    };
    const { losses } = await runOneWay(assignment, leftovers, { whileIdle });
    return { metrics, losses };
  },
};

/** A bus that nobody uses: a publisher and a subscriber that have talked before, and are silent. */
export const IDLE: Scenario = {
  id: "idle",
  family: "idle",
  title:
    "an idle bus: one process with a subscription, one that has published; of the two, whichever does more; a server is not counted",
  columns: ["cpuPercent", "wakeUpsPerSecond", "publisherWakeUpsPerSecond", "subscriberWakeUpsPerSecond"],
  hasFixedRounds: true,
  full: { ...COMMON, rounds: 1, durationMs: 60_000 },
  quick: { ...COMMON, rounds: 1, durationMs: 2_000 },
  contestants: async (only) => (await transportContestants(IDLING, only)).map(onLinux),
};

function onLinux(contestant: Contestant): Contestant {
  if (process.platform === "linux") return contestant;
  return { ...contestant, missing: async () => "a Linux machine, for /proc" };
}

async function watch(publisherPid: number, subscriberPid: number, forMs: number): Promise<Record<string, number>> {
  await delay(forMs >= BEFORE_MS.full ? BEFORE_MS.full : BEFORE_MS.quick);
  const look = () => ({
    publisher: activityOf(publisherPid),
    subscriber: activityOf(subscriberPid),
    atMs: performance.now(),
  });
  const before = look();
  await delay(forMs);
  const after = look();
  const seconds = (after.atMs - before.atMs) / 1_000;
  const rate = (role: "publisher" | "subscriber", of: (activity: Activity) => number) =>
    (of(after[role]) - of(before[role])) / seconds;
  const cpu = (["publisher", "subscriber"] as const).map((role) => 100 * rate(role, ({ cpuSeconds }) => cpuSeconds));
  const publisherWakeUpsPerSecond = rate("publisher", ({ wakeUps }) => wakeUps);
  const subscriberWakeUpsPerSecond = rate("subscriber", ({ wakeUps }) => wakeUps);
  return {
    cpuPercent: Math.max(...cpu),
    wakeUpsPerSecond: Math.max(publisherWakeUpsPerSecond, subscriberWakeUpsPerSecond),
    publisherWakeUpsPerSecond,
    subscriberWakeUpsPerSecond,
  };
}
