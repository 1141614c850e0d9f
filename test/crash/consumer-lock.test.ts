import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PersonalSpool, until } from "../support/personal-spool.js";
import { Puppet, type PuppetError } from "./puppet.js";

const DAY_MS = 86_400_000;

test("a consumer that starts right after the one before it was killed gets the subscription at once", async (context) => {
  const spool = await PersonalSpool.make(context);
  for (let generation = 0; generation < 5; generation++) {
    const consumer = await open(context, spool);
    await consumer.call("subscribe", "work", { durable: "ci" }, "ack");
    await consumer.kill();
  }
});

test("of several that come at the same time exactly one gets the subscription, and the others are told who", async (context) => {
  const spool = await PersonalSpool.make(context);
  const rivals = await Promise.all([1, 2, 3].map(() => open(context, spool)));
  for (let round = 0; round < 15; round++) {
    await compete(rivals);
    await Promise.all(rivals.map((rival) => rival.call("reopen")));
  }
});

test("of several that find the lock of a dead one exactly one gets it", async (context) => {
  const spool = await PersonalSpool.make(context);
  const rivals = await Promise.all([1, 2, 3].map(() => open(context, spool)));
  for (let round = 0; round < 5; round++) {
    const holder = await open(context, spool);
    await holder.call("subscribe", "work", { durable: "ci" }, "ack");
    await holder.kill();
    await compete(rivals);
    await Promise.all(rivals.map((rival) => rival.call("reopen")));
  }
});

test("a consumer that is stopped, or too busy to do anything, keeps its subscription whatever the clock says", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  const [holder, rival] = [await open(context, spool), await open(context, spool)];
  await holder.call("subscribe", "work", { durable: "ci" }, "ack");
  await rival.call("shiftClock", 60 * DAY_MS);
  holder.signal("SIGSTOP");
  assert.equal((await refusalOf(rival)).code, "ERR_BUSY");
  holder.signal("SIGCONT");
  await holder.call("block", 2_000);
  assert.equal((await refusalOf(rival)).code, "ERR_BUSY");
  // Its own clock may jump as well.
  await holder.call("shiftClock", -60 * DAY_MS);
  assert.equal((await refusalOf(rival)).code, "ERR_BUSY");
  await bus.publish("work", 1);
  await until(() => holder.handled.length === 1);
});

test("a consumer whose lock is removed under it stops, and says so", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  const subscription = await bus.subscribe("work", { durable: "ci" });
  const reading = subscription[Symbol.asyncIterator]().next();
  fs.rmSync(join(spool.path, "subscriptions", `${bus.user}~ci`, "consumer.lock"), { recursive: true });
  await assert.rejects(reading, { code: "ERR_LOCK_LOST" });
  await (await bus.subscribe("work", { durable: "ci" })).close();
});

async function open(context: Parameters<typeof Puppet.start>[0], spool: PersonalSpool): Promise<Puppet> {
  const puppet = await Puppet.start(context, spool.path);
  await puppet.call("open");
  return puppet;
}

async function compete(rivals: readonly Puppet[]): Promise<void> {
  const outcomes = await Promise.all(
    rivals.map((rival) =>
      rival.call("subscribe", "work", { durable: "ci" }, "ack").catch((error: unknown) => error as PuppetError),
    ),
  );
  const winners = rivals.filter((_, index) => typeof outcomes[index] === "string");
  assert.equal(winners.length, 1, `${winners.length} of them consume`);
  for (const outcome of outcomes) {
    if (typeof outcome === "string") continue;
    assert.equal(outcome.code, "ERR_BUSY", outcome.message);
    assert.match(outcome.fix ?? "", /shared/);
  }
}

async function refusalOf(rival: Puppet): Promise<PuppetError> {
  return rival.call("subscribe", "work", { durable: "ci" }, "ack").then(
    () => assert.fail("it was not refused"),
    (error: unknown) => error as PuppetError,
  );
}
