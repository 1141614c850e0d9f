import assert from "node:assert/strict";
import { test } from "node:test";
import { PersonalSpool, until } from "./support/personal-spool.js";

// What handlers do wrong is told as warnings.
process.removeAllListeners("warning");

test("no handler starts once onRefused has closed the subscription, and what waits comes the next time", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  await (await bus.subscribe("work", { durable: "ci" })).close();
  const refused = '{"specversion":"0.3"}';
  const good = (n: number) =>
    JSON.stringify({
      ...{ specversion: "1.0", id: `good-${n}`, source: `/agents/${bus.user}`, type: "work", topic: "work", data: n },
      time: new Date().toISOString(),
    });
  spool.deliver(bus.user, "ci", [refused, good(1), good(2)].map((line) => `${line}\n`).join(""));
  const handled: [unknown, unknown][] = [];
  const closing = new AbortController();
  const onRefused = () => closing.abort();
  const subscription = await bus.subscribe("work", { durable: "ci", onRefused, signal: closing.signal }, (message) => {
    handled.push(["too late", message.data]);
  });
  await subscription.done;
  assert.equal(handled.length, 0);
  await bus.subscribe("work", { durable: "ci" }, ({ data, attempt }) => void handled.push([data, attempt]));
  await until(() => handled.length === 2);
  assert.deepEqual(handled, [
    [1, 1],
    [2, 1],
  ]);
});

test("a handler may throw what it likes, and onRefused too: the subscription goes on", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  const handled: unknown[] = [];
  const options = {
    backoff: { minMs: 1, maxMs: 1 },
    onRefused: () => assert.fail("on purpose"),
    onError: () => undefined,
  };
  const oddities = [
    () => {
      throw Object.create(null);
    },
    () => new Proxy({}, { get: () => assert.fail("no") }),
  ];
  await bus.subscribe("work", { durable: "ci", ...options }, (message) => {
    handled.push(message.data);
    return message.attempt === 1 ? oddities[message.data as number]?.() : undefined;
  });
  spool.deliver(bus.user, "ci", "no JSON\n");
  for (const n of [0, 1, 2]) await bus.publish("work", n);
  await until(() => handled.length === 5);
  assert.deepEqual(
    handled.toSorted((a, b) => Number(a) - Number(b)),
    [0, 0, 1, 1, 2],
  );
});
