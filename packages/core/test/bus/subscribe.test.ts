import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Message } from "#core/subscribe/message.js";
import { refusalOf } from "../support/refusal.js";
import { TestSpool, until } from "../support/spool.js";

test("a durable subscription keeps what arrives while nobody consumes it", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  await (await bus.subscribe("x", { durable: "d" })).close();
  await bus.publish("x", 1);
  for await (const message of bus.subscribe("x", { durable: "d" })) {
    assert.equal(message.data, 1);
    assert.deepEqual(message.sender, { user: bus.user, uid: bus.uid });
    assert.equal(message.subscription, `${bus.user}~d`);
    await message.ack();
    break;
  }
});

test("an ephemeral subscription is gone when it is closed", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const subscription = await bus.subscribe("x");
  assert.deepEqual((await bus.publish("x")).subscriptions, [subscription.name]);
  await subscription.close();
  assert.deepEqual((await bus.publish("x")).subscriptions, []);
  assert.deepEqual(spool.names("subscriptions"), [`${bus.user}~inbox`]);
});

test("leaving the loop puts the unsettled message back, with its attempt uncounted", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  await (await bus.subscribe("x", { durable: "d" })).close();
  await bus.publish("x", 1);
  for (let round = 0; round < 3; round++) {
    for await (const message of bus.subscribe("x", { durable: "d" })) {
      assert.equal(message.attempt, 1);
      break;
    }
  }
  assert.equal(spool.names("subscriptions", `${bus.user}~d`, "retry").length, 1);
});

test("a handler that throws gets the message again after a growing pause, and at last it is a dead letter", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const attempts: { attempt: number; at: number }[] = [];
  const errors: unknown[] = [];
  const subscription = await bus.subscribe(
    "x",
    { durable: "d", maxAttempts: 4, backoff: { minMs: 20 }, onError: (error) => errors.push(error) },
    (message) => {
      attempts.push({ attempt: message.attempt, at: performance.now() });
      throw new Error("no");
    },
  );
  const { id } = await bus.publish("x", { poison: true });
  await until(() => subscription.stats.rejected === 1);
  assert.deepEqual(
    attempts.map(({ attempt }) => attempt),
    [1, 2, 3, 4],
  );
  const pauses = attempts.slice(1).map(({ at }, i) => at - (attempts[i]?.at ?? 0));
  assert.ok(
    pauses.every((pause, i) => pause >= 19 * 2 ** i),
    `pauses ${pauses.join(", ")}`,
  );
  assert.equal(errors.length, 4);
  const dead = join(spool.path, "subscriptions", `${bus.user}~d`, "dead");
  const reason = fs.readdirSync(dead).find((name) => name.endsWith(".reason.json")) ?? "";
  const record = JSON.parse(fs.readFileSync(join(dead, reason), "utf8")) as Record<string, unknown>;
  assert.equal(record["reason"], "max-attempts");
  assert.equal(record["id"], id);
  assert.equal(record["attempts"], 4);
  assert.match(String(record["detail"]), /Error: no/);
  const copy = JSON.parse(fs.readFileSync(join(dead, reason.replace(".reason", "")), "utf8")) as { data: unknown };
  assert.deepEqual(copy.data, { poison: true });
});

test("nack with a delay of its own, and reject with a reason", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const attempts: number[] = [];
  const subscription = await bus.subscribe("x", { durable: "d" }, async (message) => {
    attempts.push(message.attempt);
    if (message.attempt === 1) await message.nack({ delayMs: 1 });
    else await message.reject("not for me");
    // Settled is settled: later words do nothing.
    await message.ack();
  });
  await bus.publish("x", 1);
  await until(() => subscription.stats.rejected === 1);
  assert.deepEqual(attempts, [1, 2]);
  assert.deepEqual(
    { ...subscription.stats },
    { delivered: 2, acked: 0, nacked: 1, rejected: 1, refused: {}, duplicates: 0, expired: 0 },
  );
});

test("with concurrency 1 messages are handled one at a time and in order; with 4, four at a time", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  for (const concurrency of [1, 4]) {
    let now = 0;
    let most = 0;
    const order: unknown[] = [];
    const subscription = await bus.subscribe("x", { concurrency }, async (message) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 2));
      order.push(message.data);
      now--;
    });
    for (let i = 0; i < 20; i++) await bus.publish("x", i);
    await until(() => order.length === 20);
    assert.equal(most, concurrency);
    if (concurrency === 1) assert.deepEqual(order, [...order.keys()]);
    await subscription.close();
  }
});

test("a durable subscription has one consumer; shared ones compete, and each message goes to one", async (context) => {
  const spool = await TestSpool.make(context);
  const one = await spool.bus();
  const two = await spool.bus();
  const exclusive = await one.subscribe("x", { durable: "d" });
  const refusal = await refusalOf(two.subscribe("x", { durable: "d" }));
  assert.equal(refusal.code, "ERR_BUSY");
  assert.match(refusal.message, new RegExp(`process ${process.pid}`));
  await exclusive.close();
  const got: [string, unknown][] = [];
  for (const [name, bus] of [
    ["one", one],
    ["two", two],
  ] as const) {
    await bus.subscribe("x", { durable: "d", shared: true }, async ({ data }) => {
      got.push([name, data]);
      await new Promise((resolve) => setTimeout(resolve, 1));
    });
  }
  await Promise.all(Array.from({ length: 50 }, (_, i) => one.publish("x", i, { priority: i % 10 })));
  await until(() => got.length === 50);
  assert.deepEqual(new Set(got.map(([, data]) => data)).size, 50);
  assert.deepEqual(new Set(got.map(([name]) => name)), new Set(["one", "two"]));
});

test("a queue gives each message to one of its consumers", async (context) => {
  const spool = await TestSpool.make(context);
  const buses = [await spool.bus(), await spool.bus(), await spool.bus()];
  const got: unknown[] = [];
  for (const bus of buses) await bus.subscribe("job.*", { queue: "work" }, ({ data }) => void got.push(data));
  const results = await Promise.all(
    Array.from({ length: 30 }, (_, i) => (buses[0] as (typeof buses)[number]).publish("job.new", i)),
  );
  assert.deepEqual(results[0]?.subscriptions, ["queue:work"]);
  await until(() => got.length === 30);
  assert.deepEqual(
    got.map(Number).sort((a, b) => a - b),
    [...got.keys()],
  );
});

test("changed patterns hold from then on, and what waited for the old ones is still delivered", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  await (await bus.subscribe("old.*", { durable: "d" })).close();
  await bus.publish("old.a", "waited");
  const got: unknown[] = [];
  const subscription = await bus.subscribe(["new.*", "also"], { durable: "d" }, ({ data }) => got.push(data));
  assert.deepEqual((await bus.publish("old.b")).subscriptions, []);
  await bus.publish("new.c", "new");
  await bus.publish("also", "also");
  await until(() => got.length === 3);
  assert.deepEqual(got, ["waited", "new", "also"]);
  assert.deepEqual(subscription.patterns, ["new.*", "also"]);
});

test("unsubscribe removes a durable subscription, and its consumer is told", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const subscription = await bus.subscribe("x", { durable: "d" }, () => undefined);
  await bus.unsubscribe("d");
  assert.deepEqual((await bus.publish("x")).subscriptions, []);
  assert.equal((await refusalOf(subscription.done)).code, "ERR_NOT_FOUND");
  assert.equal((await refusalOf(bus.unsubscribe("d"))).code, "ERR_NOT_FOUND");
  await assert.rejects(bus.unsubscribe("../x"), TypeError);
});

describe("options that cannot be are TypeErrors that say so", () => {
  const cases: [string, string | string[], object][] = [
    ["durable and queue", "x", { durable: "a", queue: "b" }],
    ["shared without a name", "x", { shared: true }],
    ["a reserved name", "x", { durable: "inbox" }],
    ["a name that leads elsewhere", "x", { durable: "../a" }],
    ["an unknown option", "x", { durible: "a" }],
    ["no concurrency", "x", { concurrency: 0 }],
    ["an inbox with a name", "@root", { durable: "a" }],
    ["no pattern", [], {}],
  ];
  for (const [what, pattern, options] of cases) {
    test(what, async (context) => {
      const bus = await (await TestSpool.make(context)).bus();
      await assert.rejects(Promise.resolve(bus.subscribe(pattern as string, options)), TypeError);
    });
  }

  test("another account's inbox, with the remedy", async (context) => {
    const bus = await (await TestSpool.make(context)).bus();
    const refusal = await refusalOf(bus.subscribe("@somebodyelse"));
    assert.equal(refusal.code, "ERR_ACCESS");
    assert.match(refusal.fix ?? "", new RegExp(`"@${bus.user}"`));
    assert.equal((await refusalOf(bus.subscribe("build.#"))).code, "ERR_TOPIC_INVALID");
  });
});

test("an iterator of an ephemeral subscription acknowledges as it goes on; that of a durable one does not", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const ephemeral = (await bus.subscribe("x"))[Symbol.asyncIterator]();
  const durable = await bus.subscribe("x", { durable: "d", maxInFlight: 2 });
  const messages = durable[Symbol.asyncIterator]();
  for (let i = 0; i < 3; i++) await bus.publish("x", i);
  for (let i = 0; i < 3; i++) assert.equal((await ephemeral.next()).value?.data, i);
  const first = (await messages.next()).value as Message;
  await messages.next();
  let third: Message | undefined;
  const waiting = messages.next().then(({ value }) => (third = value));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(third, undefined, "it waits while two messages are unsettled");
  await first.ack();
  await waiting;
  assert.equal((third as Message | undefined)?.data, 2);
});

test("drain lets handlers finish; close puts their messages back and aborts their signals", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  let finish: () => void = () => undefined;
  let signal: AbortSignal | undefined;
  const handler = (message: Message) => {
    signal = message.signal;
    return new Promise<void>((resolve) => (finish = resolve));
  };
  const first = await bus.subscribe("x", { durable: "d" }, handler);
  await bus.publish("x", 1);
  await until(() => signal !== undefined);
  const drained = first.drain();
  finish();
  await drained;
  assert.equal(first.stats.acked, 1);
  signal = undefined;
  const second = await bus.subscribe("x", { durable: "d" }, handler);
  await bus.publish("x", 2);
  await until(() => signal !== undefined);
  await second.close();
  assert.equal((signal as AbortSignal | undefined)?.aborted, true);
  finish();
  assert.equal(second.stats.acked, 0);
  assert.equal(spool.names("subscriptions", `${bus.user}~d`, "retry").length, 1);
  await bus.drain();
  assert.equal((await refusalOf(bus.publish("x"))).code, "ERR_CLOSED");
  assert.equal((await refusalOf(bus.subscribe("x"))).code, "ERR_CLOSED");
});

test("a signal that ends a subscription in the middle of its loop ends the loop, not with an error", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const stop = new AbortController();
  const subscription = await bus.subscribe("x", { signal: stop.signal });
  await bus.publish("x", 1);
  const taken: unknown[] = [];
  for await (const message of subscription) {
    taken.push(message.data);
    stop.abort();
    await subscription.done;
  }
  assert.deepEqual(taken, [1]);
});

test("an aborted signal ends what waits: a subscription, a bus, a wait for an answer", async (context) => {
  const spool = await TestSpool.make(context);
  const stop = new AbortController();
  const bus = await spool.bus({ signal: stop.signal });
  const own = new AbortController();
  const subscription = await bus.subscribe("x", { signal: own.signal });
  own.abort(new Error("enough"));
  await subscription.done;
  await bus.subscribe("silent");
  const asking = new AbortController();
  const answer = bus.request("silent", 1, { signal: asking.signal });
  asking.abort(new Error("changed my mind"));
  await assert.rejects(answer, /changed my mind/);
  await assert.rejects(bus.publish("x", 1, { signal: AbortSignal.abort(new Error("never")) }), /never/);
  stop.abort();
  await until(
    async () =>
      (await bus.publish("x").then(
        () => "open",
        () => "closed",
      )) === "closed",
  );
});

test("await using drains the bus", async (context) => {
  const spool = await TestSpool.make(context);
  const got: unknown[] = [];
  {
    await using bus = await spool.bus();
    await bus.subscribe("x", {}, ({ data }) => got.push(data));
    await bus.publish("x", 1);
    await until(() => got.length === 1);
  }
  assert.deepEqual(
    spool.names("subscriptions").filter((name) => !name.endsWith("~inbox")),
    [],
  );
  assert.deepEqual(
    fs.readdirSync(join(spool.path, "run", spool.names("run")[0] ?? "")).filter((name) => !name.startsWith("sweep")),
    [],
  );
});
