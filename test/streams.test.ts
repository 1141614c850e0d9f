import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Bus, PublishOptions } from "@agentbus/core";
import { createBus } from "#core/open-bus.js";
import { Puppet } from "./crash/puppet.js";
import { SeamWatch } from "./crash/seam-calls.js";
import { PersonalSpool, UNSETTLED_PLACES, until } from "./support/personal-spool.js";

/** Publishers remember a subscription, and so append, only when its record is some milliseconds old. */
const UNTIL_KNOWN_MS = 100;

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** What is left of a subscription's messages; seals are no messages. */
function leftIn(spool: PersonalSpool, bus: Bus, name: string, parts: readonly string[] = UNSETTLED_PLACES): string[] {
  const dir = join(spool.path, "subscriptions", `${bus.user}~${name}`);
  return parts.flatMap((part) => fs.readdirSync(join(dir, part))).filter((each) => !each.endsWith(".sealed"));
}

/** The message files that come to a drop box from now on. */
function arrivalsAt(context: TestContext, dir: string): Set<string> {
  const names = new Set<string>();
  const watcher = fs.watch(join(dir, "new"), (_, name) => {
    if (name !== null && /\.jsonl?$/.test(name)) names.add(name);
  });
  context.after(() => watcher.close());
  return names;
}

test("3,000 messages, published one by one, arrive once and in order, in a few files", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  const received: Record<string, unknown[]> = { one: [], two: [], short: [] };
  for (const durable of ["one", "two", undefined])
    await bus.subscribe("a.*", { durable }, ({ data }) => void received[durable ?? "short"]?.push(data));
  await delay(UNTIL_KNOWN_MS);
  const names = arrivalsAt(context, join(spool.path, "subscriptions", `${bus.user}~one`));
  const publisher = await Puppet.start(context, spool.path);
  await publisher.call("open");
  await publisher.call("publishMany", "a.b", 3_000, 1);
  await until(() => Object.values(received).every((each) => each.length >= 3_000));
  await delay(300);
  for (const each of Object.values(received)) assert.deepEqual(each, upTo(3_000));
  assert.ok(names.size > 0 && names.size <= 60, String(names.size));
  await spool.close();
  for (const name of ["one", "two"]) assert.deepEqual(leftIn(spool, bus, name), []);
});

test("other topics, priorities, receipts and sync levels in between: each subscription hears each priority in order", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  const publisher = await spool.bus();
  const patterns: Record<string, string[]> = { all: ["**"], a: ["a.*"], ab: ["a.*", "b.*"], b: ["b.*"] };
  const received: Record<string, { n: number; priority: number }[]> = {};
  for (const [durable, pattern] of Object.entries(patterns)) {
    received[durable] = [];
    await bus.subscribe(pattern, { durable }, ({ data, envelope }) => {
      received[durable]?.push({ n: data as number, priority: envelope.priority ?? 5 });
    });
  }
  await delay(UNTIL_KNOWN_MS);
  const sent: { n: number; topic: string; priority: number }[] = [];
  let seed = 1;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  for (let n = 0; n < 1_200; n++) {
    const topic = ["a.x", "a.x", "a.x", "a.y", "b.x", "c.x"][random(6)] ?? "";
    const priority = random(12) === 0 ? 2 : 5;
    const options: PublishOptions = {
      priority,
      ...(random(25) === 0 ? { receipt: true } : {}),
      ...(random(40) === 0 ? { sync: "data" as const } : random(40) === 0 ? { sync: "full" as const } : {}),
    };
    sent.push({ n, topic, priority });
    const publishing = publisher.publish(topic, n, options);
    // Some in the same tick, which share a file.
    if (random(5) > 0) await publishing;
    if (random(100) === 0) await delay(150);
  }
  await publisher.close();
  for (const [name, [first = "", ...rest]] of Object.entries(patterns)) {
    const letters = first === "**" ? "abc" : [first, ...rest].map((pattern) => pattern[0]).join("");
    const wanted = sent.filter(({ topic }) => letters.includes(topic[0] ?? ""));
    await until(() => (received[name]?.length ?? 0) >= wanted.length);
    for (const urgency of [2, 5]) {
      assert.deepEqual(
        received[name]?.filter(({ priority }) => priority === urgency).map(({ n }) => n),
        wanted.filter(({ priority }) => priority === urgency).map(({ n }) => n),
        `${name}, priority ${urgency}`,
      );
    }
  }
  await spool.close();
  for (const name of Object.keys(patterns)) assert.deepEqual(leftIn(spool, bus, name), []);
});

test("a consumer that comes and goes while the publisher goes on: nothing is lost, nothing settled comes again", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  await (await bus.subscribe("a.*", { durable: "guest" })).close();
  await delay(UNTIL_KNOWN_MS);
  const publisher = await Puppet.start(context, spool.path);
  await publisher.call("open");
  const over = new AbortController();
  let count = 0;
  const publishing = (async () => {
    while (!over.signal.aborted) {
      await publisher.call("publish", "a.b", count++);
      if (count % 3 === 0) await delay(1);
    }
  })();
  const settled: number[] = [];
  for (let round = 0; round < 40 || settled.length < 300; round++) {
    const subscription = await bus.subscribe("a.*", { durable: "guest" }, async ({ data, signal }) => {
      // What is in work when it closes is not settled.
      if (round % 2 === 0 && (data as number) % 5 === 0) await delay(3);
      if (!signal.aborted) settled.push(data as number);
    });
    await delay(5 + (round % 7) * 12);
    await (round % 3 === 0 ? subscription.drain() : subscription.close());
  }
  over.abort();
  await publishing;
  await bus.subscribe("a.*", { durable: "guest" }, ({ data }) => void settled.push(data as number));
  await until(() => settled.length >= count);
  await delay(300);
  assert.deepEqual(settled, upTo(count));
  await spool.close();
  assert.deepEqual(leftIn(spool, bus, "guest"), []);
});

test("nack and reject of messages in a stream: these alone come again or go, and a restart forgets none of it", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  const attempts = new Map<number, number[]>();
  const subscribe = () =>
    bus.subscribe("a.*", { durable: "picky", maxAttempts: 3 }, async (message) => {
      const n = message.data as number;
      attempts.set(n, [...(attempts.get(n) ?? []), message.attempt]);
      if (n % 10 === 3 && message.attempt === 1) await message.nack({ delayMs: n % 20 === 3 ? 0 : 100 });
      if (n % 10 === 7) await message.reject("not this one");
      if (n % 50 === 11) await message.nack({ delayMs: 0 });
    });
  const first = await subscribe();
  await delay(UNTIL_KNOWN_MS);
  const publisher = await spool.bus();
  for (const n of upTo(200)) await publisher.publish("a.b", n);
  await until(() => attempts.has(199));
  await first.close();
  await subscribe();
  for (const n of upTo(200)) await publisher.publish("a.b", 200 + n);
  const isDone = (n: number) => (attempts.get(n)?.length ?? 0) >= (n % 10 === 3 ? 2 : n % 50 === 11 ? 3 : 1);
  await until(() => upTo(400).every(isDone));
  await delay(300);
  for (const n of upTo(400))
    assert.deepEqual(attempts.get(n), n % 10 === 3 ? [1, 2] : n % 50 === 11 ? [1, 2, 3] : [1], String(n));
  await spool.close();
  assert.deepEqual(leftIn(spool, bus, "picky"), []);
  // One in ten rejected, one in fifty out of attempts.
  const letters = leftIn(spool, bus, "picky", ["dead"]).filter((name) => name.endsWith(".reason.json"));
  assert.equal(letters.length, 48);
});

test("streams that are sealed all the time while messages come: nothing is lost or repeated", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus({ rescanMs: 20 });
  const received: Record<string, unknown[]> = { fast: [], slow: [] };
  await bus.subscribe("a.*", { durable: "fast" }, ({ data }) => void received["fast"]?.push(data));
  await bus.subscribe("a.*", { durable: "slow" }, async ({ data }) => {
    await delay(5);
    received["slow"]?.push(data);
  });
  await delay(UNTIL_KNOWN_MS);
  const publisher = await spool.bus();
  for (const n of upTo(300)) {
    await publisher.publish("a.b", n);
    // Around the two looks after which an idle stream is sealed.
    await delay(n % 10 === 0 ? 45 : 15 + (n % 30));
  }
  await until(() => Object.values(received).every((each) => each.length >= 300));
  await delay(200);
  assert.deepEqual(received, { fast: upTo(300), slow: upTo(300) });
  await spool.close();
  for (const name of ["fast", "slow"]) assert.deepEqual(leftIn(spool, bus, name), []);
});

test("what is left of streams: their files go when they are idle and settled, their seals a minute later", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus({ rescanMs: 50 });
  let received = 0;
  await bus.subscribe("a.*", { durable: "tidy" }, () => void received++);
  await delay(UNTIL_KNOWN_MS);
  const publisher = await spool.bus();
  for (const n of upTo(50)) await publisher.publish("a.b", n);
  await until(() => received === 50 && leftIn(spool, bus, "tidy").length === 0);
  const box = join(spool.path, "subscriptions", `${bus.user}~tidy`, "new");
  assert.ok(fs.readdirSync(box).length > 0);
  const now = performance.now.bind(performance);
  context.mock.method(performance, "now", () => now() + 61_000);
  await until(() => fs.readdirSync(box).length === 0);
  context.mock.restoreAll();
});

test("a stream that is sealed while one of its messages is in work: what follows is sent in a file of its own", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus({ rescanMs: 50 });
  const received: unknown[] = [];
  const held = new AbortController();
  await bus.subscribe("a.*", { durable: "slow" }, async ({ data }) => {
    received.push(data);
    if (data === 1) await until(() => held.signal.aborted);
  });
  await delay(UNTIL_KNOWN_MS);
  const publisher = await spool.bus();
  for (const n of [0, 1]) await publisher.publish("a.b", n);
  const box = join(spool.path, "subscriptions", `${bus.user}~slow`, "new");
  await until(() => received.length === 2 && fs.readdirSync(box).length > 0);
  await publisher.publish("a.b", 2);
  held.abort();
  await until(() => received.length === 3);
  assert.deepEqual(received, [0, 1, 2]);
});

test("a stream that somebody removed from the drop box: what follows is sent in a file of its own", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  await (await bus.subscribe("a.*", { durable: "cleared" })).close();
  await delay(UNTIL_KNOWN_MS);
  for (const n of upTo(3)) await bus.publish("a.b", n);
  const box = join(spool.path, "subscriptions", `${bus.user}~cleared`, "new");
  for (const name of fs.readdirSync(box)) fs.unlinkSync(join(box, name));
  // A publisher goes by its last look for 10 ms.
  await delay(20);
  await bus.publish("a.b", 3);
  const received: unknown[] = [];
  await bus.subscribe("a.*", { durable: "cleared" }, ({ data }) => void received.push(data));
  await until(() => received.length > 0);
  assert.deepEqual(received, [3]);
});

/** Appends a line to whatever stream a seal appears for, as a publisher may that has looked just before. */
function appendOnSeal(context: TestContext, dir: string, line: (n: number) => string): { readonly count: number } {
  const appended = { count: 0 };
  const watcher = fs.watch(join(dir, "new"), (_, name) => {
    if (name === null || !name.endsWith(".sealed") || !fs.existsSync(join(dir, "new", name))) return;
    const place = name.slice(1, -".sealed".length);
    for (const part of ["cur", "retry", "new"]) {
      const file = fs.readdirSync(join(dir, part)).find((each) => each.endsWith(".jsonl") && each.includes(place));
      if (file === undefined || appended.count > 0) continue;
      fs.appendFileSync(join(dir, part, file), line(appended.count++));
    }
  });
  context.after(() => watcher.close());
  return appended;
}

for (const how of ["when it is idle", "when its consumer closes", "when its consumer had died"] as const) {
  test(`what is appended in the moment after the seal is read, ${how}`, async (context) => {
    const spool = await PersonalSpool.make(context);
    const bus = await spool.bus({ rescanMs: 50 });
    const received: unknown[] = [];
    const take = ({ data }: { data: unknown }) => void received.push(data);
    const subscription = await bus.subscribe("a.*", { durable: "late" }, take);
    await delay(UNTIL_KNOWN_MS);
    const publisher = await spool.bus();
    for (const n of [0, 1]) await publisher.publish("a.b", n);
    await until(() => received.length === 2);
    const dir = join(spool.path, "subscriptions", `${bus.user}~late`);
    const line = () => {
      const id = `01${"0".repeat(24)}`;
      const time = new Date().toISOString();
      const source = `/agents/${bus.user}`;
      const envelope = { specversion: "1.0", id, source, type: "a.b", time, topic: "a.b", data: "late" };
      return `${JSON.stringify(envelope)}\n`;
    };
    if (how === "when its consumer had died") {
      // A claim of a process that is no more, with all that it has read settled.
      const left = fs
        .readdirSync(join(dir, "cur"))
        .map((name) => [name, fs.readFileSync(join(dir, "cur", name))] as const);
      await subscription.close();
      for (const name of fs.readdirSync(join(dir, "new"))) fs.unlinkSync(join(dir, "new", name));
      for (const [name, bytes] of left) fs.writeFileSync(join(dir, "cur", name), bytes, { mode: 0o640 });
    }
    const appended = appendOnSeal(context, dir, line);
    if (how === "when its consumer closes") await subscription.close();
    if (how !== "when it is idle") await bus.subscribe("a.*", { durable: "late" }, take);
    await until(() => received.length === 3);
    assert.equal(appended.count, 1);
    assert.deepEqual(received, [0, 1, "late"]);
    await until(() => leftIn(spool, bus, "late").length === 0);
  });
}

test("a publisher that was stopped after it had appended looks whether anybody still reads", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  await (await bus.subscribe("a.*", { durable: "stopped" })).close();
  await delay(UNTIL_KNOWN_MS);
  const box = join(spool.path, "subscriptions", `${bus.user}~stopped`, "new");
  let isStopping = false;
  const watch = new SeamWatch(spool.path, (call, proceed, args) => {
    const result = proceed(args);
    if (!isStopping || call.name !== "write a draft") return result;
    isStopping = false;
    // Meanwhile the stream is sealed, read, and gone.
    const [stream = ""] = fs.readdirSync(box).filter((name) => name.endsWith(".jsonl"));
    fs.writeFileSync(join(box, `.${stream.slice(0, 28)}.sealed`), "", { mode: 0o600 });
    fs.unlinkSync(join(box, stream));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    return result;
  });
  const publisher = await createBus({ spool: spool.path }, { fileSystem: watch.fileSystem, env: {} });
  context.after(() => publisher.close());
  for (const n of [0, 1, 2]) await publisher.publish("a.b", n);
  isStopping = true;
  assert.deepEqual((await publisher.publish("a.b", 3)).subscriptions, [`${bus.user}~stopped`]);
  assert.equal(isStopping, false);
  const texts = fs
    .readdirSync(box)
    .filter((name) => /\.jsonl?$/.test(name))
    .map((name) => fs.readFileSync(join(box, name), "utf8"));
  assert.deepEqual(new Set(texts.map((text) => (JSON.parse(text) as { data: unknown }).data)), new Set([0, 3]));
});

test("a repeat that waits in an open stream when its consumer closes does not come the next time", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  const received: unknown[] = [];
  const take = async ({ data, signal }: { data: unknown; signal: AbortSignal }) => {
    received.push(data);
    if (data === "held") await until(() => signal.aborted);
  };
  const subscription = await bus.subscribe("a.*", { durable: "again" }, take);
  await delay(UNTIL_KNOWN_MS);
  const publisher = await spool.bus();
  await publisher.publish("a.b", "first", { id: "first" });
  for (const data of ["second", "held"]) await publisher.publish("a.b", data);
  await until(() => received.includes("held"));
  await publisher.publish("a.b", "first", { id: "first" });
  await publisher.publish("a.b", "last");
  await subscription.close();
  await bus.subscribe("a.*", { durable: "again" }, ({ data }) => void received.push(data));
  await until(() => received.includes("last"));
  assert.deepEqual(received, ["first", "second", "held", "held", "last"]);
});
