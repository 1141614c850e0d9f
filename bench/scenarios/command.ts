import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { openBus } from "@agentbus/core";
import { NO_LOSSES } from "../ends/serials.js";
import { TOPIC } from "../envelope.js";
import type { Leftovers } from "../leftovers.js";
import { missingProgram } from "../servers/programs.js";
import { redisSocket, startRedis } from "../servers/redis-server.js";
import { spool } from "../transports/spool.js";
import { NOTHING_STARTED, type Place, type Started } from "../transports/transport.js";
import type { Configuration, Contestant, Scenario } from "./scenario.js";

/** From bench/build/scenarios/. */
const AGENTBUS = fileURLToPath(new URL("../../../packages/cli/bin/agentbus.cjs", import.meta.url));
const DATA = JSON.stringify({ text: "x".repeat(400) });
const COMMON = { bytes: 512, count: 1, warmUp: 0, perSecond: null, window: 1, subscribers: 1 };

interface Command {
  readonly name: string;
  readonly description: string;
  readonly durability: Contestant["durability"];
  readonly missing?: () => string | undefined;
  readonly prepare: (place: Place, leftovers: Leftovers) => Promise<Started>;
  readonly words: (dir: string) => readonly string[];
}

const COMMANDS: readonly Command[] = [
  {
    name: "node-nothing",
    description: "node -e 0: what starting Node takes",
    durability: "nothing",
    prepare: async () => NOTHING_STARTED,
    words: () => [process.execPath, "-e", "0"],
  },
  {
    name: "spool",
    description: "agentbus publish, to one durable subscription",
    durability: "process",
    prepare: prepareSpool,
    words: (dir) => [process.execPath, AGENTBUS, "publish", TOPIC, DATA, "--mandatory", "--spool", `${dir}/spool`],
  },
  {
    name: "redis-cli",
    description: "redis-cli publish over a Unix socket, to nobody",
    durability: "nothing",
    missing: () => missingProgram("redis-cli", "redis-tools") ?? missingProgram("redis-server"),
    prepare: startRedis,
    words: (dir) => ["redis-cli", "-s", redisSocket(dir), "publish", TOPIC, DATA],
  },
];

/** What a script pays for one message: a whole process. */
export const COMMAND: Scenario = {
  id: "command",
  family: "command",
  title: "one publish from a shell: the wall time of a whole process",
  columns: ["wallMs"],
  hasFixedRounds: true,
  full: { ...COMMON, rounds: 30 },
  quick: { ...COMMON, rounds: 1 },
  contestants: async (only) => COMMANDS.filter(({ name }) => only === undefined || only.includes(name)).map(contestant),
};

export const COMMAND_NAMES = COMMANDS.map(({ name }) => name);

function contestant({ name, description, durability, missing, prepare, words }: Command): Contestant {
  return {
    ...{ name, description, durability, keepsOrder: true },
    missing: async () => missing?.(),
    measure: async (_: Configuration, { dir, leftovers }) => {
      const started = await prepare({ dir, isDurable: false }, leftovers);
      try {
        return { metrics: { wallMs: await wallMsOf(words(dir), leftovers) }, losses: NO_LOSSES };
      } finally {
        await started.stop();
      }
    },
  };
}

/** Somebody is subscribed, or nothing would be stored; he is away, so that only the publisher is timed. */
async function prepareSpool(place: Place, leftovers: Leftovers): Promise<Started> {
  const started = await spool.start(place, leftovers);
  const bus = await openBus({ spool: `${place.dir}/spool` });
  await bus.subscribe(TOPIC, { durable: "absent" });
  await bus.close();
  return started;
}

async function wallMsOf([program = "", ...args]: readonly string[], leftovers: Leftovers): Promise<number> {
  const startedMs = performance.now();
  const child = spawn(program, args, { stdio: "ignore" });
  leftovers.addProcess(child);
  const [status] = (await once(child, "exit")) as [number | null];
  const wallMs = performance.now() - startedMs;
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} failed (${status})`);
  return wallMs;
}
