import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { NO_LOSSES } from "../ends/serials.js";
import { distributionOf } from "../report/statistics.js";
import type { Arena, Configuration, Contestant, Round } from "../scenarios/scenario.js";
import type { Durability } from "../transports/transport.js";
import { floorProgram, missingCompiler } from "./compile.js";

/** A compiled program does not get faster. */
const WARM_UP = 500;

const KINDS: Readonly<Record<string, { readonly description: string; readonly durability: Durability }>> = {
  inotify: { description: "C: append to a file, inotify, read; after 500 to warm up", durability: "process" },
  rename: {
    description: "C: write a file, rename it, inotify, read, unlink; after 500 to warm up",
    durability: "process",
  },
  seqpacket: { description: "C: a seqpacket Unix socket; after 500 to warm up", durability: "nothing" },
};

/** The kernel's own floor: rows to hold the others against, between two processes of a C program. */
export function floorContestants(only: readonly string[] | undefined): Contestant[] {
  return Object.entries(KINDS)
    .map(([kind, facts]) => ({ ...facts, kind, name: `floor-${kind}` }))
    .filter(({ name }) => only === undefined || only.includes(name))
    .map(({ kind, ...facts }) => ({
      ...facts,
      keepsOrder: true,
      missing: async () => missingCompiler(),
      measure: (configuration: Configuration, arena: Arena) => measure(kind, configuration, arena),
    }));
}

export const FLOOR_NAMES = Object.keys(KINDS).map((kind) => `floor-${kind}`);

async function measure(kind: string, configuration: Configuration, { dir, leftovers }: Arena): Promise<Round> {
  const { bytes, count, warmUp, perSecond } = configuration;
  const words = [kind, dir, bytes, count, Math.min(warmUp, WARM_UP), perSecond ?? 1_000].map(String);
  const child = spawn(await floorProgram(), words, { stdio: ["ignore", "pipe", "inherit"] });
  leftovers.addProcess(child);
  const [output, [status]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  if (status !== 0) throw new Error(`floor ${words.join(" ")} failed (${status})`);
  const latenciesNs = Float64Array.from(output.trim().split("\n"), Number);
  const { p50, p90, p99, max } = distributionOf(latenciesNs);
  const losses = { ...NO_LOSSES, lost: count - latenciesNs.length };
  return { metrics: { p50Us: p50, p90Us: p90, p99Us: p99, maxUs: max }, latenciesNs, losses };
}
