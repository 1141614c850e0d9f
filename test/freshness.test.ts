import assert from "node:assert/strict";
import fs from "node:fs";
import { describe, test, type TestContext } from "node:test";
import type { Bus } from "@agentbus/core";
import { PersonalSpool } from "./support/personal-spool.js";

const PAIRS = 300;
/** Where a filesystem with another clock granule may be: that of the directory for temporary files, and a tmpfs. */
const PLACES = [undefined, "/dev/shm"];

for (const place of PLACES) {
  const skip = place !== undefined && !fs.existsSync(place) && `skipped: there is no ${place}`;
  describe(
    `a publish that starts after subscribe() resolved, with no pause between them, in ${place ?? "/tmp"}`,
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

async function buses(context: TestContext, place: string | undefined): Promise<{ subscriber: Bus; publisher: Bus }> {
  const spool = await PersonalSpool.make(context, place);
  const [subscriber, publisher] = [await spool.bus(), await spool.bus()];
  await publisher.publish("nobody.there");
  return { subscriber, publisher };
}
