import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Bus } from "#core/bus.js";
import { nodeFileSystem, type Path } from "#core/file-system.js";
import { NameSource } from "#core/message-name.js";
import { refusalOf } from "../support/refusal.js";
import { TestSpool, until } from "../support/spool.js";

/** A bus with a durable subscription of three places, which nobody consumes yet. */
async function withThreePlaces(context: Parameters<typeof TestSpool.make>[0]): Promise<{ bus: Bus; spool: TestSpool }> {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  await (await bus.subscribe("x", { durable: "small", maxBacklog: 3 })).close();
  return { bus, spool };
}

/** Takes so many messages out of the subscription. */
async function take(bus: Bus, count: number): Promise<unknown[]> {
  const got: unknown[] = [];
  for await (const message of bus.subscribe("x", { durable: "small", maxBacklog: 3 })) {
    got.push(message.data);
    await message.ack();
    if (got.length === count) break;
  }
  return got;
}

test("at the limit a publish is refused, and whoever has room has the message all the same", async (context) => {
  const { bus } = await withThreePlaces(context);
  await (await bus.subscribe("x", { durable: "large" })).close();
  for (let i = 0; i < 3; i++) await bus.publish("x", i);
  const refusal = await refusalOf(bus.publish("x", 3));
  assert.equal(refusal.code, "ERR_BACKLOG");
  assert.deepEqual(refusal.details?.["stored"], [`${bus.user}~large`]);
  assert.deepEqual(refusal.details?.["missing"], [`${bus.user}~small`]);
  assert.deepEqual(await take(bus, 3), [0, 1, 2]);
  const { subscriptions } = await bus.publish("x", 3, { id: String(refusal.details?.["id"]) });
  assert.deepEqual(subscriptions.length, 2);
  await bus.publish("x", 4);
  assert.deepEqual(await take(bus, 2), [3, 4]);
  const large: unknown[] = [];
  for await (const message of bus.subscribe("x", { durable: "large" })) {
    large.push(message.data);
    await message.ack();
    if (large.length === 5) break;
  }
  assert.deepEqual(large, [0, 1, 2, 3, 4], "the repeated id is delivered once");
});

test("the limit is exact for one publisher, also within one tick", async (context) => {
  const { bus, spool } = await withThreePlaces(context);
  const outcomes = await Promise.allSettled(Array.from({ length: 10 }, (_, i) => bus.publish("x", i)));
  assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 3);
  assert.equal(spool.names("subscriptions", `${bus.user}~small`, "new").length, 3);
});

test("counting ends at the limit, however much there is", async (context) => {
  const { bus, spool } = await withThreePlaces(context);
  const arrivals = join(spool.path, "subscriptions", `${bus.user}~small`, "new");
  const names = new NameSource();
  const blank = join(spool.path, "blank");
  fs.writeFileSync(blank, "");
  for (let n = 0; n < 10_000; n++) fs.linkSync(blank, join(arrivals, names.messageFile(5, names.ulid())));
  const { read, publisher } = await withCounted(spool);
  assert.equal((await refusalOf(publisher.publish("x"))).code, "ERR_BACKLOG");
  assert.ok(read() > 0 && read() < 2_000, String(read()));
});

test("a subscription that is full and left alone is counted once; when a place is free, the next publish gets it", async (context) => {
  const { bus, spool } = await withThreePlaces(context);
  const { read, publisher } = await withCounted(spool);
  for (let i = 0; i < 3; i++) await publisher.publish("x", i);
  // A change within one tick of the filesystem's clock does not show, so the first refusals count anew.
  await until(async () => {
    const before = read();
    assert.equal((await refusalOf(publisher.publish("x", 3))).code, "ERR_BACKLOG");
    return read() === before;
  });
  const parts = ["subscriptions", `${bus.user}~small`, "new"];
  fs.unlinkSync(join(spool.path, ...parts, spool.names(...parts)[0] ?? ""));
  assert.equal((await publisher.publish("x", 3)).subscriptions.length, 1);
  assert.equal((await refusalOf(publisher.publish("x", 4))).code, "ERR_BACKLOG");
});

/** A bus that tells how many names it has read to count what waits. */
async function withCounted(spool: TestSpool): Promise<{ read: () => number; publisher: Bus }> {
  let read = 0;
  const readdirInPortions = function* (path: Path) {
    for (const portion of nodeFileSystem.readdirInPortions(path)) {
      read += portion.length;
      yield portion;
    }
  };
  const publisher = await spool.bus({}, { fileSystem: { ...nodeFileSystem, readdirInPortions } });
  return { read: () => read, publisher };
}

test("with drop, the full subscription goes without and the result says so", async (context) => {
  const { bus } = await withThreePlaces(context);
  for (let i = 0; i < 3; i++) await bus.publish("x", i);
  const { subscriptions, full } = await bus.publish("x", 3, { onFull: "drop" });
  assert.deepEqual({ subscriptions, full }, { subscriptions: [], full: [`${bus.user}~small`] });
  assert.deepEqual(await take(bus, 3), [0, 1, 2]);
});

test("with wait, publishes line up and arrive in their order as room comes", async (context) => {
  const { bus } = await withThreePlaces(context);
  for (let i = 0; i < 3; i++) await bus.publish("x", i);
  const waiting = Array.from({ length: 5 }, (_, i) => bus.publish("x", 3 + i, { onFull: "wait" }));
  assert.deepEqual(await take(bus, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
  for (const { subscriptions } of await Promise.all(waiting)) assert.deepEqual(subscriptions, [`${bus.user}~small`]);
});

test("a wait ends with its time, with its signal, and with the bus", async (context) => {
  const { bus, spool } = await withThreePlaces(context);
  for (let i = 0; i < 3; i++) await bus.publish("x", i);
  assert.equal((await refusalOf(bus.publish("x", "late", { onFull: "wait", timeoutMs: 30 }))).code, "ERR_BACKLOG");
  const stop = new AbortController();
  const aborted = bus.publish("x", "aborted", { onFull: "wait", signal: stop.signal });
  stop.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  const closing = refusalOf(bus.publish("x", "closed", { onFull: "wait" }));
  await until(() => true);
  await bus.close();
  assert.equal((await closing).code, "ERR_CLOSED");
  assert.equal(spool.names("subscriptions", `${bus.user}~small`, "new").length, 3);
});

test("a subscription that is removed while a publish waits for it ends the wait", async (context) => {
  const { bus } = await withThreePlaces(context);
  for (let i = 0; i < 3; i++) await bus.publish("x", i);
  const waiting = bus.publish("x", 3, { onFull: "wait" });
  await bus.unsubscribe("small");
  assert.deepEqual((await waiting).subscriptions, []);
});
