import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Bus, PublishOptions } from "@agentbus/core";
import { createBus } from "#core/open-bus.js";
import { SeamWatch, type SeamHook } from "./crash/seam-calls.js";
import { PersonalSpool, until } from "./support/personal-spool.js";
import { countShort, UNTIL_KNOWN_MS } from "./support/short-way.js";

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

/** A bus whose short way can be counted. */
async function watchedBus(
  context: TestContext,
  spool: PersonalSpool,
  hook: SeamHook = (_, proceed, args) => proceed(args),
): Promise<[Bus, SeamWatch]> {
  const watch = new SeamWatch(spool.path, hook);
  const bus = await createBus({ spool: spool.path }, { fileSystem: watch.fileSystem, env: {} });
  context.after(() => bus.close());
  return [bus, watch];
}

test("by the short way, with options, in bursts and alone, to overlapping subscriptions: all arrive in the order in which they were sent", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  const [publisher] = await watchedBus(context, spool);
  const received: Record<string, number[]> = { all: [], one: [], both: [] };
  const patterns: Record<string, string[]> = { all: ["**"], one: ["a.one"], both: ["a.*"] };
  for (const [durable, pattern] of Object.entries(patterns))
    await bus.subscribe(pattern, { durable }, ({ data }) => void received[durable]?.push(data as number));
  await delay(UNTIL_KNOWN_MS);
  const short = countShort(context);
  let seed = 20_260_131;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const options: (PublishOptions | undefined)[] = [
    ...[{ receipt: true }, { sync: "data" as const }, { subject: "s" }, { onFull: "wait" as const }, {}],
    { id: "" },
  ];
  const sent: { n: number; topic: string }[] = [];
  const publishing: Promise<unknown>[] = [];
  const ids: string[] = [];
  for (let n = 0; n < 4_000;) {
    const topic = random(10) < 7 ? "a.one" : (["a.two", "b"][random(2)] ?? "");
    const together = random(30) === 0 ? 1 + random(20) : 1;
    const last = n + together;
    for (; n < last; n++) {
      const chosen = random(20) === 0 ? options[random(options.length)] : undefined;
      const published = publisher.publish(topic, n, chosen?.id === "" ? { id: `own-${n}` } : chosen);
      publishing.push(published.then(({ id }) => void ids.push(id)));
      sent.push({ n, topic });
    }
    if (random(3) > 0) await publishing.at(-1);
    if (random(200) === 0) await delay(random(60));
  }
  await Promise.all(publishing);
  for (const [name, [pattern]] of Object.entries(patterns)) {
    const wanted = sent.filter(
      ({ topic }) => pattern === "**" || (name === "one" ? topic === pattern : topic[0] === "a"),
    );
    await until(() => (received[name]?.length ?? 0) >= wanted.length);
    assert.deepEqual(
      received[name],
      wanted.map(({ n }) => n),
      name,
    );
  }
  const ulids = ids.filter((id) => !id.startsWith("own-"));
  assert.deepEqual(ulids, ulids.toSorted());
  assert.ok(short.count > 500, `only ${short.count} by the short way`);
});

test("a publish that waits for room is not overtaken by one without options, though a stream would take it", async (context) => {
  const spool = await PersonalSpool.make(context);
  const path = join(spool.path, "spool.json");
  const facts = JSON.parse(fs.readFileSync(path, "utf8")) as object;
  fs.writeFileSync(path, JSON.stringify({ ...facts, limits: { maxBacklog: 2 } }));
  const bus = await spool.bus();
  await (await bus.subscribe("a.*", { durable: "full" })).close();
  await delay(UNTIL_KNOWN_MS);
  const [publisher] = await watchedBus(context, spool);
  const short = countShort(context);
  // However slow the machine, a route that was noted stays one, and a stream goes on.
  const clocks = [performance.now(), Date.now()].map((now, i) =>
    context.mock.method(i === 0 ? performance : Date, "now", () => now),
  );
  // Two files, of which the second one grows.
  for (const n of upTo(10)) await publisher.publish("a.b", n);
  assert.equal(short.count, 8);
  const waiting = publisher.publish("a.b", 10, { onFull: "wait" });
  for (const topic of ["a.b", "a.c", "a.b"])
    await assert.rejects(publisher.publish(topic, -1), { code: "ERR_BACKLOG" });
  const behind = publisher.publish("a.b", 11, { onFull: "wait" });
  for (const clock of clocks) clock.mock.restore();
  const received: unknown[] = [];
  await bus.subscribe("a.*", { durable: "full" }, ({ data }) => void received.push(data));
  await Promise.all([waiting, behind]);
  for (const n of [12, 13, 14]) await publisher.publish("a.b", n, { onFull: "wait" });
  await until(() => received.length === 15);
  assert.deepEqual(received, upTo(15));
});

test("a message that is stored is not refused because the next one could not be", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  const received: unknown[] = [];
  await bus.subscribe("a.*", { durable: "any" }, ({ data }) => void received.push(data));
  await delay(UNTIL_KNOWN_MS);
  let isBroken = false;
  const [publisher] = await watchedBus(context, spool, (call, proceed, args) => {
    if (isBroken && call.name === "changeTimeMs schemas") throw Object.assign(new Error("EIO"), { code: "EIO" });
    const result = proceed(args);
    // It takes so long that schemas are looked for again.
    if (call.operation === "link" || call.name === "write a draft") {
      isBroken = true;
      const now = performance.now.bind(performance);
      context.mock.method(performance, "now", () => now() + 1_500);
    }
    return result;
  });
  await publisher.publish("a.b", 0);
  context.mock.restoreAll();
  isBroken = false;
  await until(() => received.length === 1);
});

test("patterns that change under a publisher at full speed leave no descriptor open", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  await bus.subscribe("a.*", { durable: "steady" }, () => undefined);
  const [publisher, watch] = await watchedBus(context, spool);
  const short = countShort(context);
  const over = new AbortController();
  const publishing = (async () => {
    for (let n = 0; !over.signal.aborted; n++) {
      await publisher.publish("a.b", n);
      if (n % 5 === 0) await delay(1);
    }
  })();
  for (let round = 0; round < 12; round++) {
    const subscription = await bus.subscribe(["a.*", `b.n${round}`], { durable: "changing" }, () => undefined);
    await delay(UNTIL_KNOWN_MS);
    await subscription.close();
  }
  over.abort();
  await publishing;
  assert.ok(short.count > 0);
  await publisher.close();
  assert.deepEqual(watch.open, []);
});

test("what one publish returned is not what the next one returns", async (context) => {
  const spool = await PersonalSpool.make(context);
  const { name } = await (await spool.bus()).subscribe("a.*", { durable: "any" }, () => undefined);
  await delay(UNTIL_KNOWN_MS);
  const [publisher] = await watchedBus(context, spool);
  const short = countShort(context);
  for (const n of upTo(20)) {
    const { subscriptions } = await publisher.publish("a.b", n);
    assert.deepEqual(subscriptions, [name]);
    subscriptions.pop();
  }
  assert.ok(short.count > 1);
});

test("data that publishes while it is written: nothing is lost, and nothing comes twice", async (context) => {
  const spool = await PersonalSpool.make(context);
  const received: unknown[] = [];
  await (await spool.bus()).subscribe("a.*", { durable: "any" }, ({ data }) => void received.push(data));
  await delay(UNTIL_KNOWN_MS);
  const [publisher] = await watchedBus(context, spool);
  const short = countShort(context);
  const inner: Promise<unknown>[] = [];
  for (const n of upTo(200)) {
    const options = [undefined, { priority: 2 }, { receipt: true }, undefined][n % 4];
    let isWritten = false;
    const toJSON = () => {
      // Whoever finds that it has to go the long way writes it again.
      if (!isWritten) inner.push(publisher.publish("a.b", `inner ${n}`, options));
      isWritten = true;
      return `outer ${n}`;
    };
    await publisher.publish("a.b", { toJSON });
  }
  await Promise.all(inner);
  await until(() => received.length >= 400);
  await delay(UNTIL_KNOWN_MS);
  const wanted = upTo(200).flatMap((n) => [`inner ${n}`, `outer ${n}`]);
  assert.deepEqual(new Set(received), new Set(wanted));
  assert.equal(received.length, wanted.length);
  assert.ok(short.count > 50);
});
