import assert from "node:assert/strict";
import { test } from "node:test";
import { refusalOf } from "../support/refusal.js";
import { TestSpool, until } from "../support/spool.js";

test("a request gets the answer of a responder, with its verified sender", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  await bus.respond("math.add", ({ data }) => {
    const { a, b } = data as { a: number; b: number };
    return { sum: a + b };
  });
  const answer = await bus.request<{ sum: number }>("math.add", { a: 1, b: 2 });
  assert.equal(answer.data.sum, 3);
  assert.deepEqual(answer.sender, { user: bus.user, uid: bus.uid });
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) => bus.request<{ sum: number }>("math.add", { a: i, b: i })),
  );
  assert.deepEqual(
    answers.map(({ data }) => data.sum),
    Array.from({ length: 50 }, (_, i) => 2 * i),
  );
});

test("a request that follows respond() without an await in between is answered by it", async (context) => {
  const spool = await TestSpool.make(context);
  for (let round = 0; round < 10; round++) {
    const bus = await spool.bus();
    bus.respond("math.double", ({ data }) => 2 * (data as number));
    const { data } = await bus.request("math.double", round);
    assert.equal(data, 2 * round);
    await bus.close();
  }
});

test("an inbox can answer too", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  await bus.respond(`@${bus.user}`, ({ data, topic }) => ({ echoed: data, topic }));
  const { data } = await bus.request(`@${bus.user}`, "hi", { topic: "greeting" });
  assert.deepEqual(data, { echoed: "hi", topic: "greeting" });
});

test("what the responder throws is told to the one who asked, and asked only once", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  let calls = 0;
  await bus.respond("bad", () => {
    calls++;
    throw new Error("division by zero");
  });
  const refusal = await refusalOf(bus.request("bad"));
  assert.equal(refusal.code, "ERR_RESPONDER");
  assert.match(refusal.message, /division by zero/);
  assert.equal(calls, 1);
});

test("nobody to ask is an error at once, silence one after the time is up", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  assert.equal((await refusalOf(bus.request("nobody"))).code, "ERR_NO_SUBSCRIPTION");
  assert.equal((await refusalOf(bus.request("@nosuchuser"))).code, "ERR_ADDRESS_UNKNOWN");
  await bus.subscribe("silent", {}, () => undefined);
  assert.equal((await refusalOf(bus.request("silent", 1, { timeoutMs: 50 }))).code, "ERR_TIMEOUT");
});

test("an answer without data is null, and a late one harms nobody", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  let answerNow: () => void = () => undefined;
  await bus.respond("slow", () => new Promise<void>((resolve) => (answerNow = resolve)));
  assert.equal((await refusalOf(bus.request("slow", 1, { timeoutMs: 60 }))).code, "ERR_TIMEOUT");
  answerNow();
  await bus.respond("quick", () => undefined);
  assert.equal((await bus.request("quick")).data, null);
});

test("closing the bus ends the wait for an answer", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const asked = new Promise((resolve) => void bus.subscribe("silent", {}, resolve));
  await until(() => spool.names("subscriptions").length === 2);
  const answer = refusalOf(bus.request("silent", 1, { timeoutMs: 600_000 }));
  await asked;
  await bus.close();
  assert.equal((await answer).code, "ERR_CLOSED");
});
