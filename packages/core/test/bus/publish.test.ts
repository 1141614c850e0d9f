import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { isBusError } from "#core/errors.js";
import type { Message } from "#core/subscribe/message.js";
import { refusalOf } from "../support/refusal.js";
import { TestSpool, until } from "../support/spool.js";

test("a publish says which subscriptions store the message, and stores it only there", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const builds = await bus.subscribe("build.**", { durable: "builds" });
  await bus.subscribe("deploy.*", { durable: "deploys" });
  const result = await bus.publish("build.linux.done", { commit: "4f2a" });
  assert.deepEqual(result.subscriptions, [builds.name]);
  assert.equal(result.topic, "build.linux.done");
  assert.match(result.id, /^[0-9A-HJKMNP-TV-Z]{26}$/);
  assert.equal(spool.names("subscriptions", `${bus.user}~builds`, "new").length, 1);
  assert.equal(spool.names("subscriptions", `${bus.user}~deploys`, "new").length, 0);
});

test("nobody subscribed is a visible outcome, and an error only when the message is mandatory", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  assert.deepEqual((await bus.publish("lonely")).subscriptions, []);
  const refusal = await refusalOf(bus.publish("lonely", 1, { mandatory: true }));
  assert.equal(refusal.code, "ERR_NO_SUBSCRIPTION");
  assert.deepEqual(spool.names("outbox", bus.user), []);
});

test("an address that nobody has is an error that names the known ones", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const refusal = await refusalOf(bus.publish("@codebott", 1));
  assert.equal(refusal.code, "ERR_ADDRESS_UNKNOWN");
  assert.match(refusal.fix ?? "", new RegExp(`@${bus.user}`));
  assert.equal((await refusalOf(bus.publish("@no such", 1))).code, "ERR_TOPIC_INVALID");
});

test("whoever has opened a bus once can be written to, running or not", async (context) => {
  const spool = await TestSpool.make(context);
  const first = await spool.bus();
  const { user } = first;
  await first.close();
  const bus = await spool.bus();
  await bus.publish(`@${user}`, { text: "please review" }, { topic: "review.request" });
  for await (const message of bus.subscribe(`@${user}`)) {
    assert.deepEqual(message.data, { text: "please review" });
    assert.equal(message.topic, "review.request");
    assert.equal(message.envelope.to, `@${user}`);
    await message.ack();
    break;
  }
});

test("the envelope carries what the publisher said, and nothing that it did not", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const received: Message[] = [];
  await bus.subscribe("**", {}, (message) => received.push(message));
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await bus.publish("full", [1], {
    type: "org.example.full",
    subject: "s",
    priority: 2,
    expiresInMs: 60_000,
    correlationId: "c1",
    replyTo: "@someone",
    traceparent,
    tracestate: "a=b",
    dataContentType: "application/json",
    dataSchema: "urn:x",
    dataRef: "/tmp/x",
    sequence: "7",
    extensions: { color: "red", weight: 3, fragile: true },
  });
  await bus.publish("plain");
  await bus.publish("binary", new Uint8Array([1, 2, 255]));
  await until(() => received.length === 3);
  const [full, plain, binary] = received as [Message, Message, Message];
  const { id, time, expirytime, ...rest } = full.envelope;
  assert.equal(full.id, id);
  assert.equal(Date.parse(expirytime ?? "") - Date.parse(time), 60_000);
  assert.deepEqual(rest, {
    specversion: "1.0",
    source: `/agents/${bus.user}`,
    type: "org.example.full",
    topic: "full",
    subject: "s",
    priority: 2,
    correlationid: "c1",
    replyto: "@someone",
    traceparent,
    tracestate: "a=b",
    datacontenttype: "application/json",
    dataschema: "urn:x",
    dataref: "/tmp/x",
    sequence: "7",
    color: "red",
    weight: 3,
    fragile: true,
    data: [1],
  });
  assert.deepEqual(Object.keys(plain.envelope).sort(), ["id", "source", "specversion", "time", "topic", "type"]);
  assert.equal(plain.data, undefined);
  assert.deepEqual(binary.data, Buffer.from([1, 2, 255]));
  assert.equal(binary.envelope.datacontenttype, "application/octet-stream");
});

describe("what cannot be published is refused before anything is written", () => {
  const cases: [
    what: string,
    publish: (bus: Awaited<ReturnType<TestSpool["bus"]>>) => Promise<unknown>,
    code: string,
  ][] = [
    ["a pattern as a topic", (bus) => bus.publish("build.*"), "ERR_TOPIC_INVALID"],
    ["data larger than the spool takes", (bus) => bus.publish("big", "x".repeat(5_000_000)), "ERR_TOO_LARGE"],
    [
      "an extension of a bad name",
      (bus) => bus.publish("x", 1, { extensions: { "Bad-Name": 1 } }),
      "ERR_ENVELOPE_INVALID",
    ],
    [
      "an extension that shadows an attribute",
      (bus) => bus.publish("x", 1, { extensions: { source: "/agents/root" } }),
      "ERR_ENVELOPE_INVALID",
    ],
    ["a life that is over", (bus) => bus.publish("x", 1, { expiresInMs: -1 }), "ERR_ENVELOPE_INVALID"],
    ["an empty id", (bus) => bus.publish("x", 1, { id: "" }), "ERR_ENVELOPE_INVALID"],
    ["a malformed traceparent", (bus) => bus.publish("x", 1, { traceparent: "nonsense" }), "ERR_ENVELOPE_INVALID"],
  ];
  for (const [what, publish, code] of cases) {
    test(what, async (context) => {
      const spool = await TestSpool.make(context);
      const bus = await spool.bus();
      await bus.subscribe("**", { durable: "all" });
      assert.equal((await refusalOf(publish(bus))).code, code);
      assert.deepEqual(spool.names("subscriptions", `${bus.user}~all`, "new"), []);
      assert.deepEqual(fs.readdirSync(join(spool.path, "outbox", bus.user)), []);
    });
  }

  test("misuse by the programmer is a TypeError that names the option", async (context) => {
    const spool = await TestSpool.make(context);
    const bus = await spool.bus();
    await assert.rejects(bus.publish("x", 1, { prioritty: 1 } as never), /no option "prioritty"; it has: .*priority/);
    await assert.rejects(bus.publish("x", 1, { priority: 10 }), /priority must be a whole number from 0 to 9/);
    await assert.rejects(bus.publish("x", 1, { sync: "always" as never }), /sync must be "none" or "data" or "full"/);
    await assert.rejects(bus.publish("x", 1n), TypeError);
    await assert.rejects(
      bus.publish("x", () => 1),
      TypeError,
    );
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    await assert.rejects(bus.publish("x", circular), TypeError);
  });
});

test("a repeated id completes a publish without doubles", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const seen: unknown[] = [];
  await bus.subscribe("x", { durable: "a" }, (message) => seen.push(message.data));
  const { id } = await bus.publish("x", "once");
  await until(() => seen.length === 1);
  const late: unknown[] = [];
  const b = await bus.subscribe("x", { durable: "b" }, (message) => late.push(message.data));
  await bus.publish("x", "once", { id });
  await bus.publish("x", "then");
  await until(() => seen.length === 2 && late.length === 2);
  assert.deepEqual(seen, ["once", "then"]);
  assert.deepEqual(late, ["once", "then"]);
  assert.equal(b.stats.duplicates, 0);
});

test("a repeated id is recognised by the next process too", async (context) => {
  const spool = await TestSpool.make(context);
  const first = await spool.bus();
  const seen: unknown[] = [];
  await first.subscribe("x", { durable: "a" }, (message) => seen.push(message.data));
  const { id } = await first.publish("x", "once");
  await until(() => seen.length === 1);
  await first.drain();
  const second = await spool.bus();
  const subscription = await second.subscribe("x", { durable: "a" }, (message) => seen.push(message.data));
  await second.publish("x", "once", { id });
  await second.publish("x", "then");
  await until(() => seen.length === 2);
  assert.deepEqual(seen, ["once", "then"]);
  assert.equal(subscription.stats.duplicates, 1);
});

test("publishes of one tick share a file where they may, and arrive one by one, in order", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const { name } = await bus.subscribe("n", { durable: "all" });
  const dir = ["subscriptions", name, "new"];
  const results = await Promise.all(Array.from({ length: 600 }, (_, i) => bus.publish("n", i)));
  assert.equal(new Set(results.map(({ id }) => id)).size, 600);
  // The first has one of its own, the others share.
  assert.ok(spool.names(...dir).length <= 4, String(spool.names(...dir).length));
  await bus.close();
  const reader = await spool.bus();
  const got: unknown[] = [];
  for await (const message of reader.subscribe("n", { durable: "all" })) {
    got.push(message.data);
    await message.ack();
    if (got.length === 600) break;
  }
  assert.deepEqual(
    got,
    Array.from({ length: 600 }, (_, i) => i),
  );
  assert.deepEqual(spool.names("subscriptions", name, "cur"), []);
});

test("whoever awaits publish after publish lets the event loop have its turns", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  await (await bus.subscribe("busy", { durable: "a" })).close();
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  context.after(() => clearInterval(timer));
  for (let i = 0; i < 20_000; i++) await bus.publish("busy", i);
  assert.ok(turns > 0);
});

test("a more urgent message overtakes the ones that wait", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  await bus.subscribe("p", { durable: "all" }).then((subscription) => subscription.close());
  for (const priority of [5, 9, 0, 5, 3]) await bus.publish("p", priority, { priority });
  const order: unknown[] = [];
  for await (const message of bus.subscribe("p", { durable: "all" })) {
    order.push(message.data);
    await message.ack();
    if (order.length === 5) break;
  }
  assert.deepEqual(order, [0, 3, 5, 5, 9]);
});

test("an expired message is not delivered", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  await bus.subscribe("e", { durable: "all" }).then((subscription) => subscription.close());
  await bus.publish("e", "short", { expiresInMs: 1 });
  await bus.publish("e", "long", { expiresInMs: 600_000 });
  const published = Date.now();
  await until(() => Date.now() > published + 1);
  const subscription = await bus.subscribe("e", { durable: "all" });
  for await (const message of subscription) {
    assert.equal(message.data, "long");
    await message.ack();
    break;
  }
  assert.equal(subscription.stats.expired, 1);
});

test("the topic's schema is checked when publishing, and by whoever receives", async (context) => {
  const spool = await TestSpool.make(context);
  const schema = {
    type: "object",
    required: ["commit"],
    properties: { commit: { type: "string" }, at: { type: "string" } },
  };
  fs.writeFileSync(join(spool.path, "schemas", "build.done.schema.json"), JSON.stringify(schema));
  const bus = await spool.bus();
  const refused: string[] = [];
  const got: unknown[] = [];
  await bus.subscribe("build.done", { onRefused: ({ reason }) => refused.push(reason) }, ({ data }) => got.push(data));
  const refusal = await refusalOf(bus.publish("build.done", { commit: 4 }));
  assert.equal(refusal.code, "ERR_SCHEMA");
  assert.match(refusal.message, /commit/);
  await bus.publish("build.done", { commit: "4f2a", at: new Date(0), gone: undefined });
  await until(() => got.length === 1);
  assert.deepEqual(got, [{ commit: "4f2a", at: "1970-01-01T00:00:00.000Z" }]);
  assert.deepEqual(refused, []);
});

test("a receipt tells when every subscription has acknowledged, and not before", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const open: Message[] = [];
  await bus.subscribe("r", { durable: "a" }, (message) => message.ack());
  await bus.subscribe("r", { durable: "b", concurrency: 2 }, async (message) => {
    open.push(message);
    await new Promise<void>((resolve) => message.signal.addEventListener("abort", () => resolve()));
  });
  const { receipt } = await bus.publish("r", 1, { receipt: true });
  assert.ok(receipt);
  await until(() => open.length === 1 && receipt.pending() === 1);
  assert.equal((await refusalOf(receipt.acked({ timeoutMs: 50 }))).code, "ERR_TIMEOUT");
  const acked = receipt.acked();
  await open[0]?.ack();
  await acked;
  assert.deepEqual(
    fs.readdirSync(join(spool.path, "outbox", bus.user)).filter((name) => name.endsWith(".receipt")),
    [],
  );
});

test("a receipt does not take a dead letter, an expired message or an empty audience for an acknowledgement", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const nobody = await bus.publish("nobody", 1, { receipt: true });
  assert.equal((await refusalOf(nobody.receipt?.acked() ?? Promise.resolve())).code, "ERR_NO_SUBSCRIPTION");
  await bus.subscribe("r", { durable: "a" }, (message) => message.reject("no"));
  const dead = await bus.publish("r", 1, { receipt: true });
  await until(() => spool.names("subscriptions", `${bus.user}~a`, "dead").length === 3);
  assert.equal((await refusalOf(dead.receipt?.acked({ timeoutMs: 100 }) ?? Promise.resolve())).code, "ERR_TIMEOUT");
  assert.equal(dead.receipt?.pending(), 1);
  const late = await bus.publish("late", 1, { receipt: true, expiresInMs: 1 });
  assert.equal(isBusError(await refusalOf(late.receipt?.acked() ?? Promise.resolve())), true);
});

test("hops grow from message to message through handlers, and a loop is refused loudly", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const hops: (number | undefined)[] = [];
  let refusal: { code: string; details?: unknown } | undefined;
  await bus.subscribe("echo", {}, async (message) => {
    hops.push(message.envelope.hops);
    try {
      await bus.publish("echo", message.data);
    } catch (error) {
      refusal = error as never;
    }
  });
  const { id } = await bus.publish("echo", "hello");
  await until(() => refusal !== undefined);
  assert.equal(refusal?.code, "ERR_HOPS");
  assert.deepEqual(hops, [undefined, ...Array.from({ length: 16 }, (_, i) => i + 1)]);
  assert.equal((refusal?.details as { correlationid?: string } | undefined)?.correlationid, id);
});

test("what a handler publishes names its cause; from an iterator, the cause is an option", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const effects: Message[] = [];
  await bus.subscribe("effect", {}, (message) => effects.push(message));
  await bus.subscribe("cause", {}, async () => {
    await new Promise((resolve) => setImmediate(resolve));
    await bus.publish("effect", "handler");
  });
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const { id } = await bus.publish("cause", 1, { traceparent, correlationId: "job-7" });
  await until(() => effects.length === 1);
  const { causationid, correlationid, hops, traceparent: carried } = (effects[0] as Message).envelope;
  assert.deepEqual(
    { causationid, correlationid, hops, carried },
    { causationid: id, correlationid: "job-7", hops: 1, carried: traceparent },
  );
  const next: Message[] = [];
  await bus.subscribe("next", {}, (message) => next.push(message));
  await bus.publish("next", "iterator", { cause: effects[0] as Message });
  await until(() => next.length === 1);
  assert.equal(next[0]?.envelope.causationid, effects[0]?.id);
  assert.equal(next[0]?.envelope.hops, 2);
});
