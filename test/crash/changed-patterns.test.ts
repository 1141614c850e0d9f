import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Bus } from "#core/bus.js";
import { createBus } from "#core/open-bus.js";
import { until } from "../support/personal-spool.js";
import { Journal } from "./journal.js";
import { inScratch, runChild } from "./kill-point.js";
import { makeSpoolFor, scenarios } from "./scenarios.js";
import { SeamWatch } from "./seam-calls.js";
import { Stage } from "./stage.js";

test("patterns whose process died before it could tell publishers hold once somebody has subscribed again", async () => {
  const scenario = scenarios.find(({ name }) => name === "change the patterns");
  assert.ok(scenario !== undefined);
  await inScratch(async (dir) => {
    const spoolPath = join(dir, "spool");
    await makeSpoolFor(scenario, spoolPath);
    const journal = new Journal(join(dir, "journal"));
    const stage = new Stage({ spoolPath, journal, name: "parent" });
    await scenario.prepare?.(stage);
    const publisher = await openKnowing(spoolPath);

    const kill = { phase: "change-subscription", when: "before", name: "mkdir a .touch- directory", nth: 1 } as const;
    assert.ok(await runChild({ scenario: scenario.name, spoolPath, journalPath: join(dir, "child"), kill }));
    const bus = await stage.bus();
    await bus.subscribe("other.*", { durable: "a" });
    const { subscriptions } = await publisher.publish("other.one");
    assert.deepEqual(subscriptions, [`${bus.user}~a`]);

    await publisher.close();
    await bus.close();
    journal.close();
  });
});

/** A bus that has listed the subscriptions and need not do so again until something changes. */
async function openKnowing(spoolPath: string): Promise<Bus> {
  let listings = 0;
  const watch = new SeamWatch(spoolPath, ({ name }, proceed) => {
    if (name === "readdir subscriptions") listings++;
    return proceed();
  });
  const bus = await createBus({ spool: spoolPath }, { fileSystem: watch.fileSystem, env: {} });
  await until(async () => {
    const before = listings;
    await bus.publish("nobody.there");
    return listings === before && listings > 0;
  });
  return bus;
}
