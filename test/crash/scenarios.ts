import fs from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Bus } from "#core/bus.js";
import { createSpool } from "#core/create-spool.js";
import { openSpool } from "#core/open-spool.js";
import { sweep } from "#core/sweep.js";
import type { Message } from "#core/subscribe/message.js";
import { until } from "../support/personal-spool.js";
import type { Deed, Stage } from "./stage.js";

/** Publishers remember a subscription, and so append, only when its record is some milliseconds old. */
const UNTIL_KNOWN_MS = 100;

/** Something that a process does and may be killed at; afterwards everything must be in order again. */
export interface Scenario {
  readonly name: string;
  readonly about: "publishing" | "subscribing" | "settling";
  /** A spool of a group, in which inboxes are counted. Needs root. @default personal */
  readonly isGroup?: boolean;
  /** What the process finds; played by the parent, which is never killed. */
  readonly prepare?: (stage: Stage) => Promise<void>;
  /** Played by the child. */
  readonly run: (stage: Stage) => Promise<void>;
}

export async function makeSpoolFor({ isGroup }: Scenario, path: string): Promise<void> {
  await createSpool({ spool: path, ...(isGroup === true ? { group: "root" } : {}), env: {} });
}

export const scenarios: readonly Scenario[] = [
  {
    name: "publish",
    about: "publishing",
    prepare: (stage) => makeDurables(stage, "a", "b", "c"),
    run: (stage) =>
      withBus(stage, async (bus) => {
        stage.phase("publish");
        await stage.publish(bus, "work.one");
        stage.phase("publish a large one");
        await stage.publish(bus, "work.two", {}, 300_000);
      }),
  },
  {
    name: "publish several in one file",
    about: "publishing",
    prepare: (stage) => makeDurables(stage, "a", "b"),
    run: (stage) =>
      withBus(stage, async (bus) => {
        stage.phase("publish together");
        await publishTogether(stage, bus, "work.one", 5);
      }),
  },
  {
    name: "publish with a receipt",
    about: "publishing",
    prepare: (stage) => makeDurables(stage, "a", "b"),
    run: (stage) =>
      withBus(stage, async (bus) => {
        stage.phase("publish with a receipt");
        const { receipt } = await stage.publish(bus, "work.one", { receipt: true });
        stage.phase("close the receipt");
        receipt?.close();
      }),
  },
  {
    name: "publish to disk",
    about: "publishing",
    prepare: (stage) => makeDurables(stage, "a", "b"),
    run: (stage) =>
      withBus(stage, async (bus) => {
        stage.phase("publish to disk");
        await stage.publish(bus, "work.one", { sync: "full" });
      }),
  },
  {
    name: "publish to an inbox that is counted",
    about: "publishing",
    isGroup: true,
    prepare: (stage) => withBus(stage, async () => undefined),
    run: (stage) =>
      withBus(stage, async (bus) => {
        stage.phase("publish to an inbox");
        await stage.publish(bus, `@${bus.user}`);
        await stage.publish(bus, `@${bus.user}`);
      }),
  },
  {
    name: "take from an inbox that is counted",
    about: "settling",
    isGroup: true,
    prepare: (stage) => withBus(stage, (bus) => publishApart(stage, bus, `@${bus.user}`, 2)),
    run: (stage) =>
      withBus(stage, async (bus) => {
        await handled(stage, bus, `@${bus.user}`, {}, 2, "take from an inbox");
      }),
  },
  {
    name: "make a durable subscription",
    about: "subscribing",
    run: (stage) =>
      withBus(stage, async (bus) => {
        stage.phase("make-subscription");
        await bus.subscribe("work.*", { durable: "a" });
        await stage.publish(bus, "work.one");
      }),
  },
  {
    name: "change the patterns",
    about: "subscribing",
    prepare: async (stage) => {
      await makeDurables(stage, "a");
      await withBus(stage, (bus) => publishApart(stage, bus, "work.one", 1));
    },
    run: (stage) =>
      withBus(stage, async (bus) => {
        stage.phase("change-subscription");
        await bus.subscribe("other.*", { durable: "a" });
        stage.phase("publish");
        await stage.publish(bus, "other.one");
      }),
  },
  {
    name: "acknowledge",
    about: "settling",
    prepare: async (stage) => {
      await makeDurables(stage, "a");
      await withBus(stage, (bus) => publishApart(stage, bus, "work.one", 2));
    },
    run: (stage) =>
      withBus(stage, async (bus) => {
        await handled(stage, bus, "work.*", { durable: "a" }, 2, "acknowledge");
      }),
  },
  {
    name: "acknowledge envelopes of one file",
    about: "settling",
    prepare: async (stage) => {
      await makeDurables(stage, "a");
      await withBus(stage, (bus) => publishTogether(stage, bus, "work.one", 3));
    },
    run: (stage) =>
      withBus(stage, async (bus) => {
        await handled(stage, bus, "work.*", { durable: "a" }, 3, "acknowledge one of several");
      }),
  },
  {
    name: "nack",
    about: "settling",
    prepare: async (stage) => {
      await makeDurables(stage, "a");
      await withBus(stage, (bus) => publishApart(stage, bus, "work.one", 2));
    },
    run: (stage) =>
      withBus(stage, async (bus) => {
        await handled(stage, bus, "work.*", { durable: "a" }, 2, "nack", nackFirst);
      }),
  },
  {
    name: "nack envelopes of one file",
    about: "settling",
    prepare: async (stage) => {
      await makeDurables(stage, "a");
      await withBus(stage, (bus) => publishTogether(stage, bus, "work.one", 3));
    },
    run: (stage) =>
      withBus(stage, async (bus) => {
        await handled(stage, bus, "work.*", { durable: "a" }, 3, "nack one of several", nackFirst);
      }),
  },
  {
    name: "follow a stream",
    about: "settling",
    run: (stage) =>
      withBus(stage, async (bus) => {
        stage.phase("subscribe");
        const { stats } = await bus.subscribe("work.*", { durable: "a" }, stage.handler());
        // Until publishers know it, and append.
        await delay(UNTIL_KNOWN_MS);
        stage.phase("follow");
        for (let n = 1; n <= 4; n++) {
          await stage.publish(bus, "work.one");
          await until(() => stats.acked === n);
        }
      }),
  },
  {
    name: "reject",
    about: "settling",
    prepare: async (stage) => {
      await makeDurables(stage, "a");
      await withBus(stage, (bus) => publishApart(stage, bus, "work.one", 1));
      await withBus(stage, (bus) => publishTogether(stage, bus, "work.one", 3));
    },
    run: (stage) =>
      withBus(stage, async (bus) => {
        const reject: Deed = async (message) => {
          await message.reject("by the test");
          stage.noteSettled(message);
        };
        await handled(stage, bus, "work.*", { durable: "a" }, 4, "bury", reject);
      }),
  },
  {
    name: "close with messages in work",
    about: "settling",
    prepare: async (stage) => {
      await makeDurables(stage, "a");
      await withBus(stage, (bus) => publishTogether(stage, bus, "work.one", 4));
      await withBus(stage, (bus) => publishApart(stage, bus, "work.one", 1));
    },
    run: (stage) =>
      withBus(stage, async (bus) => {
        stage.phase("subscribe");
        const subscription = await bus.subscribe("work.*", { durable: "a" });
        stage.phase("take");
        const messages = subscription[Symbol.asyncIterator]();
        const [first, second] = [await messages.next(), await messages.next()];
        for (const { value } of [first, second]) if (value !== undefined) stage.noteHandling(value);
        await first.value?.ack();
        if (first.value !== undefined) stage.noteSettled(first.value);
        stage.phase("put back");
        await subscription.close();
      }),
  },
  {
    name: "recover",
    about: "settling",
    prepare: async (stage) => {
      await makeDurables(stage, "a");
      await withBus(stage, (bus) => publishTogether(stage, bus, "work.one", 4));
      await withBus(stage, (bus) => publishApart(stage, bus, "work.one", 2));
      await leaveInWork(stage, 2);
    },
    run: (stage) =>
      withBus(stage, async (bus) => {
        await handled(stage, bus, "work.*", { durable: "a" }, 5, "take what was recovered", undefined, "recover");
      }),
  },
  {
    name: "recover in company",
    about: "settling",
    prepare: async (stage) => {
      await withBus(stage, async (bus) => {
        await (await bus.subscribe("work.*", { durable: "a", shared: true })).close();
        await publishTogether(stage, bus, "work.one", 4);
        await publishApart(stage, bus, "work.one", 1);
      });
      await leaveInWork(stage, 2, { shared: true });
    },
    run: (stage) =>
      withBus(stage, async (bus) => {
        const options = { durable: "a", shared: true };
        await handled(
          stage,
          bus,
          "work.*",
          options,
          4,
          "take what was recovered, shared",
          undefined,
          "recover, shared",
        );
      }),
  },
  {
    name: "work on a queue",
    about: "subscribing",
    run: (stage) =>
      withBus(stage, async (bus) => {
        stage.phase("make-queue");
        const subscription = await bus.subscribe(
          "work.*",
          { queue: "q", backoff: { minMs: 1, maxMs: 1 } },
          stage.handler(nackFirst),
        );
        stage.phase("publish to a queue");
        await Promise.all([stage.publish(bus, "work.one"), stage.publish(bus, "work.one")]);
        stage.phase("take from a queue");
        await until(() => subscription.stats.acked === 2);
      }),
  },
  {
    name: "an ephemeral subscription",
    about: "subscribing",
    run: (stage) =>
      withBus(stage, async (bus) => {
        stage.phase("subscribe, ephemeral");
        const subscription = await bus.subscribe("work.*", stage.handler());
        await bus.publish("nobody.there");
        stage.phase("remove-subscription");
        await subscription.close();
      }),
  },
  {
    name: "unsubscribe",
    about: "subscribing",
    prepare: (stage) => makeDurables(stage, "a"),
    run: (stage) =>
      withBus(stage, async (bus) => {
        stage.phase("unsubscribe");
        await bus.unsubscribe("a");
      }),
  },
  {
    name: "request",
    about: "publishing",
    run: (stage) =>
      withBus(stage, async (bus) => {
        stage.phase("respond");
        await bus.respond("add.one", ({ data }) => (data as number) + 1);
        stage.phase("request");
        await bus.request("add.one", 1);
      }),
  },
  {
    name: "sweep",
    about: "subscribing",
    prepare: async (stage) => {
      await withBus(stage, async () => undefined);
      leaveStrays(stage);
    },
    run: async (stage) => {
      const spool = await openSpool({ spool: stage.spoolPath }, { fileSystem: stage.fileSystem, env: {} });
      stage.phase("sweep");
      await later(2, () => sweep(spool));
    },
  },
];

/** Runs with a clock that is ahead, when what a dead process left in the middle of something has been left long enough. */
export async function later<T>(minutes: number, action: () => Promise<T>): Promise<T> {
  const { now } = Date;
  Date.now = () => now() + minutes * 60_000;
  try {
    return await action();
  } finally {
    Date.now = now;
  }
}

async function withBus(stage: Stage, action: (bus: Bus) => Promise<unknown>): Promise<void> {
  stage.phase("open");
  const bus = await stage.bus();
  await action(bus);
  stage.phase("close");
  await bus.close();
  // Of two publishers within a millisecond, chance says who comes first.
  for (const closedMs = Date.now(); Date.now() === closedMs;) await new Promise(setImmediate);
}

async function makeDurables(stage: Stage, ...names: string[]): Promise<void> {
  const bus = await stage.bus();
  for (const durable of names) await (await bus.subscribe("work.*", { durable })).close();
  await bus.close();
}

/** Each in a file of its own, however slow the machine: to what is synced nothing is appended. */
async function publishApart(stage: Stage, bus: Bus, destination: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await stage.publish(bus, destination, { sync: "data" });
}

/** In one file: the first publish of a tick has one of its own, and goes to nobody here. */
async function publishTogether(stage: Stage, bus: Bus, destination: string, count: number): Promise<void> {
  void bus.publish("nobody.listens");
  await Promise.all(Array.from({ length: count }, () => stage.publish(bus, destination)));
}

/** Subscribes, and handles messages one by one until so many are settled for good. */
async function handled(
  stage: Stage,
  bus: Bus,
  pattern: string,
  options: { durable?: string; shared?: boolean },
  count: number,
  phase: string,
  deed?: Deed,
  subscribing = "subscribe",
): Promise<void> {
  stage.phase(subscribing);
  const subscription = await bus.subscribe(pattern, { ...options, backoff: { minMs: 1, maxMs: 1 } });
  stage.phase(phase);
  const handle = stage.handler(deed);
  const { stats } = subscription;
  for await (const message of subscription) {
    await handle(message);
    if (stats.acked + stats.rejected === count) break;
  }
}

async function nackFirst(message: Message): Promise<void> {
  if (message.attempt === 1) await message.nack({ delayMs: 1 });
}

/**
 * Leaves a subscription as a process leaves it that is killed while it handles its second message, having acknowledged the first.
 * What `close()` would tidy up is put back afterwards.
 */
async function leaveInWork(stage: Stage, messages: number, options: { shared?: boolean } = {}): Promise<void> {
  const bus = await stage.bus();
  const dir = join(stage.spoolPath, "subscriptions", `${bus.user}~a`);
  const subscription = await bus.subscribe("work.*", { durable: "a", ...options });
  const iterator = subscription[Symbol.asyncIterator]();
  for (let i = 1; i <= messages; i++) {
    const { value } = await iterator.next();
    if (value === undefined) throw new Error("too few messages");
    stage.noteHandling(value);
    if (i === messages) break;
    await value.ack();
    stage.noteSettled(value);
  }
  const [cur, kept] = [join(dir, "cur"), join(stage.spoolPath, "..", "kept")];
  fs.cpSync(cur, kept, { recursive: true, preserveTimestamps: true });
  const waiting = new Set(fs.readdirSync(join(dir, "retry")));
  await bus.close();
  for (const name of fs.readdirSync(join(dir, "retry"))) if (!waiting.has(name)) fs.rmSync(join(dir, "retry", name));
  fs.cpSync(kept, cur, { recursive: true, preserveTimestamps: true });
  fs.rmSync(kept, { recursive: true });
}

/** What processes that were killed leave in their spool. */
function leaveStrays({ spoolPath }: Stage): void {
  const user = fs.readdirSync(join(spoolPath, "outbox"))[0] ?? "";
  const gone = { user, token: "a".repeat(16), pid: 2 ** 22 + 1, startTime: "1", bootId: null, pidNamespace: null };
  const presence = { ...gone, pidNamespace: fs.readlinkSync("/proc/self/ns/pid"), startedAt: new Date().toISOString() };
  const subscriptions = join(spoolPath, "subscriptions");
  const record = { layout: 1, kind: "ephemeral", user, name: "tmp-aaaa", patterns: ["work.*"] };
  for (const name of [`${user}~tmp-aaaa`, ".new-aaaa", ".gone-aaaa"]) {
    for (const part of ["new", "cur", "retry", "dead"]) {
      fs.mkdirSync(join(subscriptions, name, part), { recursive: true });
    }
    fs.writeFileSync(join(subscriptions, name, "new", `5-${"0".repeat(26)}-${"a".repeat(26)}.json`), "{}\n");
    fs.writeFileSync(
      join(subscriptions, name, "subscription.json"),
      JSON.stringify({ ...record, createdAt: presence.startedAt, consumer: presence }),
    );
  }
  fs.mkdirSync(join(subscriptions, ".touch-aaaa"));
  fs.mkdirSync(join(spoolPath, "queues", ".new-aaaa", "new"), { recursive: true });
  fs.writeFileSync(join(spoolPath, "outbox", user, `.${gone.pid}-aaaa.draft`), "half");
  fs.mkdirSync(join(spoolPath, "run", user), { recursive: true });
  fs.mkdirSync(join(spoolPath, "run", user, `${gone.token}.lock`));
  fs.writeFileSync(join(spoolPath, "run", user, `${gone.token}.json`), JSON.stringify(presence));
}
