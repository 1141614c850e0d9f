import { mkdirSync } from "node:fs";
import { createSpool, openBus } from "@agentbus/core";
import { BACKLOG_NAME, BACKLOG_TOPIC } from "../ends/assignment.js";
import { sumOf, type Losses } from "../ends/serials.js";
import { consumeBacklog, fillBacklog } from "../rounds/backlog.js";
import { runOneWay } from "../rounds/one-way.js";
import { distributionOf, spreadOf } from "../report/statistics.js";
import { spool } from "../transports/spool.js";
import type { Arena, Configuration, Contestant, Round, Scenario } from "./scenario.js";

/** How the backlog came to be. */
const KINDS = [
  {
    name: "spool",
    isBursts: false,
    description: "agentbus, a file for each message, as when they come one now and then",
  },
  { name: "spool-bursts", isBursts: true, description: "agentbus, published in bursts, so that many share a file" },
];
export const BACKLOG_NAMES = KINDS.map(({ name }) => name);

/** What the neighbour is measured with: often enough that its median holds still. */
const NEIGHBOUR = { full: { rounds: 3, count: 500, warmUp: 1_000 }, quick: { rounds: 1, count: 50, warmUp: 20 } };
const COMMON = { bytes: 512, perSecond: null, window: null, subscribers: 1, warmUp: 0 };

/** A subscriber that comes back and finds what has piled up, and another one that never was away. */
export const BACKLOG_SCENARIOS: readonly Scenario[] = [
  backlog("backlog-100k", { count: 100_000, rounds: 3, quickCount: 1_000 }),
  backlog("backlog-1m", { count: 1_000_000, rounds: 1, quickCount: 2_000 }),
];

function backlog(
  id: string,
  { count, rounds, quickCount }: { count: number; rounds: number; quickCount: number },
): Scenario {
  return {
    id,
    family: "backlog",
    title: `start with a backlog of ${count.toLocaleString("en")} messages, 512 B: from the fork of the subscriber's process; and the latency of another subscription, 500/s, beside it and alone`,
    columns: ["firstMessageMs", "peakRssMiB", "consumedPerSecond", "neighbourP50Us", "aloneP50Us", "neighbourRatio"],
    hasFixedRounds: true,
    full: { ...COMMON, count, rounds },
    quick: { ...COMMON, count: quickCount, rounds: 1 },
    contestants: async (only) => KINDS.filter(({ name }) => only === undefined || only.includes(name)).map(contestant),
  };
}

function contestant({ name, isBursts, description }: (typeof KINDS)[number]): Contestant {
  return {
    ...{ name, description, durability: "process", keepsOrder: true },
    missing: async () => undefined,
    measure: (configuration, arena) => measure(isBursts, configuration, arena),
  };
}

async function measure(isBursts: boolean, { bytes, count }: Configuration, arena: Arena): Promise<Round> {
  const spoolDir = `${arena.dir}/spool`;
  const assignment = { spoolDir, bytes, count, isBursts };
  await subscribe(spoolDir, count);
  const fillMs = await fillBacklog(assignment, arena.leftovers);
  const neighbour = await measureNeighbour(count, arena);
  const { startedNs, openedNs, firstHandledNs, lastHandledNs, losses, rssMiB } = await consumeBacklog(
    assignment,
    arena.leftovers,
  );
  return {
    metrics: {
      firstMessageMs: (firstHandledNs - startedNs) / 1e6,
      firstMessageAfterOpenMs: (firstHandledNs - openedNs) / 1e6,
      peakRssMiB: rssMiB,
      consumedMs: (lastHandledNs - startedNs) / 1e6,
      consumedPerSecond: (count * 1e9) / (lastHandledNs - firstHandledNs),
      fillMs,
      ...neighbour.metrics,
    },
    losses: sumOf([losses, neighbour.losses]),
  };
}

/** A durable subscription whose subscriber has gone. @param count so many files have to find room */
async function subscribe(spoolDir: string, count: number): Promise<void> {
  await createSpool({ spool: spoolDir, limits: { maxBacklog: 2 * count }, env: {} });
  const bus = await openBus({ spool: spoolDir });
  await bus.subscribe(BACKLOG_TOPIC, { durable: BACKLOG_NAME });
  await bus.close();
}

/** The same subscription in the spool with the backlog, and in one without, by turns. */
async function measureNeighbour(count: number, { dir, leftovers }: Arena): Promise<Round> {
  const { rounds, ...sizes } = count >= 100_000 ? NEIGHBOUR.full : NEIGHBOUR.quick;
  const aloneDir = `${dir}/alone`;
  mkdirSync(aloneDir);
  const place = { isDurable: false };
  await spool.start({ ...place, dir: aloneDir }, leftovers);
  const beside: number[] = [];
  const alone: number[] = [];
  const losses: Losses[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const [at, medians] of [
      [dir, beside],
      [aloneDir, alone],
    ] as const) {
      const assignment = {
        ...place,
        ...sizes,
        transport: "spool",
        dir: at,
        bytes: 512,
        subscribers: 1,
        rests: false,
        window: null,
      } as const;
      const result = await runOneWay({ ...assignment, perSecond: 500 }, leftovers);
      medians.push(distributionOf(result.latenciesNs).p50);
      losses.push(result.losses);
    }
  }
  const neighbourP50Us = spreadOf(beside).median;
  const aloneP50Us = spreadOf(alone).median;
  return {
    metrics: { neighbourP50Us, aloneP50Us, neighbourRatio: neighbourP50Us / aloneP50Us },
    losses: sumOf(losses),
  };
}
