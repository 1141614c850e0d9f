import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Bus } from "@agentbus/core";
import { PersonalSpool, until } from "../support/personal-spool.js";

for (const part of ["new/", "cur/", "retry/", "dead/", "subscription.json"]) {
  test(`a consumer whose ${part} is removed under it ends, and says so`, async (context) => {
    const spool = await PersonalSpool.make(context);
    const bus = await spool.bus();
    const subscription = await bus.subscribe("work", { durable: "ci" }, () => undefined);
    fs.rmSync(join(dirOf(spool, bus), part), { recursive: true });
    await assert.rejects(subscription.done, { code: "ERR_NOT_FOUND", fix: "subscribe again" });
    await assertDelivers(bus);
  });

  test(`an iterator whose ${part} is removed under it ends, says so, and leaves room for another`, async (context) => {
    const spool = await PersonalSpool.make(context);
    const bus = await spool.bus();
    const reading = (await bus.subscribe("work", { durable: "ci" }))[Symbol.asyncIterator]().next();
    fs.rmSync(join(dirOf(spool, bus), part), { recursive: true });
    await assert.rejects(reading, { code: "ERR_NOT_FOUND", fix: "subscribe again" });
    await assertDelivers(bus);
  });
}

/** Another subscription of that name can be had at once, and gets what is published. */
async function assertDelivers(bus: Bus): Promise<void> {
  const again = await bus.subscribe("work", { durable: "ci" }, () => undefined);
  await bus.publish("work", 1);
  await until(() => again.stats.acked === 1);
}

for (const [whose, isSame] of [
  ["the same bus", true],
  ["another bus of the process", false],
] as const) {
  test(`a subscription that is made anew by ${whose} while the one before it is open is its own`, async (context) => {
    const spool = await PersonalSpool.make(context);
    // Nobody looks before the test is over.
    const options = { rescanMs: 600_000 };
    const [bus, rival] = [await spool.bus(options), await spool.bus(options)];
    const former = await bus.subscribe("work", { durable: "ci" }, () => undefined);
    await bus.unsubscribe("ci");
    const owner = isSame ? bus : await spool.bus(options);
    const subscription = await owner.subscribe("work", { durable: "ci" }, () => undefined);
    await former.close();
    assert.ok(fs.existsSync(join(dirOf(spool, owner), "consumer.json")));
    await assert.rejects(rival.subscribe("work", { durable: "ci" }), { code: "ERR_BUSY" });
    await bus.publish("work", 1);
    await until(() => subscription.stats.acked === 1);
    await subscription.close();
    await (await rival.subscribe("work", { durable: "ci" })).close();
  });
}

test("what the one before it has seen is not seen by a subscription that is made anew", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus({ rescanMs: 600_000 });
  const former = await bus.subscribe("work", { durable: "ci" }, () => undefined);
  await bus.publish("work", 1, { id: "once" });
  await until(() => former.stats.acked === 1);
  await bus.unsubscribe("ci");
  await (await bus.subscribe("work", { durable: "ci" })).close();
  await former.close();
  const subscription = await bus.subscribe("work", { durable: "ci" }, () => undefined);
  await bus.publish("work", 1, { id: "once" });
  await until(() => subscription.stats.acked === 1);
});

test("of a subscription that is made anew the one before it notices, and ends alone", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  const former = await bus.subscribe("work", { durable: "ci" }, () => undefined);
  await bus.unsubscribe("ci");
  const subscription = await bus.subscribe("work", { durable: "ci" }, () => undefined);
  await assert.rejects(former.done, { code: "ERR_NOT_FOUND" });
  await bus.publish("work", 1);
  await until(() => subscription.stats.acked === 1);
});

test("a publisher finds a subscription, or a drop box, that was removed and made anew", async (context) => {
  const spool = await PersonalSpool.make(context);
  const [publisher, bus] = [await spool.bus(), await spool.bus()];
  const name = `${bus.user}~ci`;
  await (await bus.subscribe("work", { durable: "ci" })).close();
  assert.deepEqual((await publisher.publish("work", 1)).subscriptions, [name]);
  await bus.unsubscribe("ci");
  assert.deepEqual((await publisher.publish("work", 2)).subscriptions, []);
  await (await bus.subscribe("work", { durable: "ci" })).close();
  assert.deepEqual((await publisher.publish("work", 3)).subscriptions, [name]);
  const box = join(dirOf(spool, bus), "new");
  fs.rmSync(box, { recursive: true });
  fs.mkdirSync(box, { mode: 0o700 });
  assert.deepEqual((await publisher.publish("work", 4)).subscriptions, [name]);
  assert.equal(fs.readdirSync(box).length, 1);
});

test("a publisher whose outbox is removed is refused, nothing is stored, and a new bus makes another", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  await (await bus.subscribe("work", { durable: "ci" })).close();
  // Nothing that more could be appended to.
  for (let n = 0; n < 3; n++) await bus.publish("work", n, { sync: "data" });
  fs.rmSync(join(spool.path, "outbox", bus.user), { recursive: true });
  await assert.rejects(bus.publish("work", "lost?"), { code: "ERR_IO" });
  assert.equal(fs.readdirSync(join(dirOf(spool, bus), "new")).length, 3);
  const again = await spool.bus();
  assert.equal((await again.publish("work", 3)).subscriptions.length, 1);
});

test("without the spool publishers and consumers are told so", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  const subscription = await bus.subscribe("work", { durable: "ci" }, () => undefined);
  fs.renameSync(spool.path, `${spool.path}-gone`);
  await assert.rejects(subscription.done, { code: "ERR_NOT_FOUND" });
  await assert.rejects(bus.publish("work", 1), { code: "ERR_IO" });
  fs.renameSync(`${spool.path}-gone`, spool.path);
  await (await bus.subscribe("work", { durable: "ci" })).close();
});

function dirOf(spool: PersonalSpool, bus: Bus): string {
  return join(spool.path, "subscriptions", `${bus.user}~ci`);
}
