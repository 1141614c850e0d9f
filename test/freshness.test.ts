import assert from "node:assert/strict";
import fs from "node:fs";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Bus } from "#core/bus.js";
import { createBus } from "#core/open-bus.js";
import { nodeFileSystem, type FileSystem } from "#core/file-system.js";
import { Puppet } from "./crash/puppet.js";
import { SeamWatch } from "./crash/seam-calls.js";
import { PersonalSpool, until } from "./support/personal-spool.js";

const PAIRS = 300;
/** Of a kernel with HZ=100. Linux 6.13 and later give a change another stamp than the one that was looked at, so here it is feigned. */
const GRANULE_MS = 10;
const coarse: FileSystem = {
  ...nodeFileSystem,
  changeTimeMs: (path) => Math.floor(nodeFileSystem.changeTimeMs(path) / GRANULE_MS) * GRANULE_MS,
  lstat: (path) => coarsely(nodeFileSystem.lstat(path)),
  stat: (path) => coarsely(nodeFileSystem.stat(path)),
  fstat: (fd) => coarsely(nodeFileSystem.fstat(fd)),
};

interface Place {
  readonly name: string;
  /** @default the directory for temporary files */
  readonly dir?: string;
  readonly fileSystem?: FileSystem;
}

const PLACES: readonly Place[] = [
  { name: "/tmp" },
  { name: "/dev/shm", dir: "/dev/shm" },
  { name: "/tmp by a coarse clock", fileSystem: coarse },
];

for (const place of PLACES) {
  const skip = place.dir !== undefined && !fs.existsSync(place.dir) && `skipped: there is no ${place.dir}`;
  describe(
    `a publish that starts after subscribe() resolved, with no pause between them, in ${place.name}`,
    { skip },
    () => {
      test(`reaches the new subscription, ${PAIRS} times`, async (context) => {
        const { subscriber, publisher } = await buses(context, place);
        await everyTime(async (n) => {
          // All publishes but the first find a listing that has just been read.
          const subscription = await subscriber.subscribe(`fresh.n${n}`, { durable: `n${n % 10}` });
          const { subscriptions } = await publisher.publish(`fresh.n${n}`, n);
          await subscription.close();
          return subscriptions.includes(subscription.name);
        });
      });

      test(`reaches one that is made anew, and none that is gone, ${PAIRS} times`, async (context) => {
        const { subscriber, publisher } = await buses(context, place);
        await everyTime(async (n) => {
          const subscription = await subscriber.subscribe("fresh");
          const stored = await publisher.publish("fresh", n);
          await subscription.close();
          const gone = await publisher.publish("fresh", n);
          return stored.subscriptions.join() === subscription.name && gone.subscriptions.length === 0;
        });
      });

      test(`goes by the patterns that it has changed to, ${PAIRS} times`, async (context) => {
        const { subscriber, publisher } = await buses(context, place);
        await everyTime(async (n) => {
          const [wanted, unwanted] = n % 2 === 0 ? ["even", "odd"] : ["odd", "even"];
          const subscription = await subscriber.subscribe(wanted, { durable: "changing" });
          const has = await publisher.publish(wanted, n);
          const hasNot = await publisher.publish(unwanted, n);
          await subscription.close();
          return has.subscriptions.length === 1 && hasNot.subscriptions.length === 0;
        });
      });

      test(`reaches a new queue, ${PAIRS} times`, async (context) => {
        const { subscriber, publisher } = await buses(context, place);
        await everyTime(async (n) => {
          const subscription = await subscriber.subscribe(`work.n${n}`, { queue: `q${n}` });
          const { subscriptions } = await publisher.publish(`work.n${n}`, n);
          await subscription.close();
          return subscriptions.includes(`queue:q${n}`);
        });
      });
    },
  );
}

async function everyTime(isFresh: (n: number) => Promise<boolean>): Promise<void> {
  const stale: number[] = [];
  for (let n = 0; n < PAIRS; n++) if (!(await isFresh(n))) stale.push(n);
  assert.deepEqual(stale, []);
}

async function buses(context: TestContext, place: Place): Promise<{ subscriber: Bus; publisher: Bus }> {
  const opened: Bus[] = [];
  // Before the spool is removed.
  context.after(() => Promise.all(opened.map((bus) => bus.close())));
  const spool = await PersonalSpool.make(context, place.dir);
  const open = async () => {
    const bus = await createBus({ spool: spool.path }, { env: {}, fileSystem: place.fileSystem ?? nodeFileSystem });
    opened.push(bus);
    return bus;
  };
  const [subscriber, publisher] = [await open(), await open()];
  await publisher.publish("nobody.there");
  return { subscriber, publisher };
}

function coarsely(stat: fs.Stats): fs.Stats {
  stat.ctimeMs -= stat.ctimeMs % GRANULE_MS;
  return stat;
}

test("a publish that fails while it looks up subscriptions does not make the next one miss a new one", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  let isBroken = false;
  const watch = new SeamWatch(spool.path, (call, proceed, args) => {
    if (isBroken && call.name === "changeTimeMs queues") throw Object.assign(new Error("EIO"), { code: "EIO" });
    return proceed(args);
  });
  const publisher = await createBus({ spool: spool.path }, { fileSystem: watch.fileSystem, env: {} });
  context.after(() => publisher.close());
  // Until its listing is proven by age.
  for (let n = 0; n < 10; n++) {
    await publisher.publish("a", n);
    await delay(20);
  }
  const { name } = await bus.subscribe("a", { durable: "late" }, () => undefined);
  await delay(100);
  isBroken = true;
  await assert.rejects(publisher.publish("a"), { code: "ERR_IO" });
  isBroken = false;
  assert.deepEqual((await publisher.publish("a")).subscriptions, [name]);
});

/** Publishers remember a subscription, and so append, only when its record is some milliseconds old. */
const UNTIL_KNOWN_MS = 100;
const NEWCOMERS = 25;

for (const [how, pauseMs] of [
  ["without a pause", 0],
  ["a few times a millisecond", 1],
] as const) {
  test(`whoever subscribes while another process publishes by the short way, ${how}, gets all that is published from then on, ${NEWCOMERS} times`, async (context) => {
    const spool = await PersonalSpool.make(context);
    const bus = await spool.bus();
    await bus.subscribe("quick.*", () => undefined);
    await delay(UNTIL_KNOWN_MS);
    const publisher = await Puppet.start(context, spool.path);
    await publisher.call("open");
    await publisher.call("startPublishing", "quick.one", pauseMs);
    for (let round = 0; round < NEWCOMERS; round++) {
      // Until the publisher goes the short way again.
      await delay(UNTIL_KNOWN_MS);
      const received: number[] = [];
      const durable = round % 2 === 0 ? `newcomer-${round}` : undefined;
      const subscription = await bus.subscribe(
        "quick.*",
        { durable },
        ({ data }) => void received.push(data as number),
      );
      const [first, last] = [await publisher.call("nextNumber"), await publisher.call("nextNumber")];
      await until(() => (received.at(-1) ?? -1) > last);
      const [start = 0] = received;
      assert.ok(start <= first, `from ${start} on, and not from ${first}`);
      assert.deepEqual(
        received,
        received.map((_, n) => start + n),
      );
      await subscription.close();
    }
    const { count, byShortWay } = await publisher.call("stopPublishing");
    assert.ok(byShortWay > count / 10, `${byShortWay} of ${count} by the short way`);
  });
}
