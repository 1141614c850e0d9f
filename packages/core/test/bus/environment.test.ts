import assert from "node:assert/strict";
import { test } from "node:test";
import { environmentOf } from "#core/context.js";
import type { Message } from "#core/subscribe/message.js";
import { refusalOf } from "../support/refusal.js";
import { TestSpool } from "../support/spool.js";

test("a program that a handler starts goes on counting hops, and names its cause", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const messages = (await bus.subscribe("loop"))[Symbol.asyncIterator]();
  const { id } = await bus.publish("loop", 1, { correlationId: "job-7" });
  const first = (await messages.next()).value as Message;

  const child = await spool.bus({}, { env: environmentOf(first.cause) });
  await child.publish("loop", 2);
  const { causationid, correlationid, hops } = ((await messages.next()).value as Message).envelope;
  assert.deepEqual({ causationid, correlationid, hops }, { causationid: id, correlationid: "job-7", hops: 1 });

  const tired = await spool.bus({}, { env: environmentOf({ ...first.cause, hops: 16 }) });
  assert.equal((await refusalOf(tired.publish("loop", 3))).code, "ERR_HOPS");
});

test("a spoilt AGENTBUS_CAUSE is refused, because without it a loop would go on unnoticed", async (context) => {
  const spool = await TestSpool.make(context);
  for (const AGENTBUS_CAUSE of ["{", "null", "[]", '{"id":"a"}', '{"id":"a","correlationId":"a","hops":-1}']) {
    const { code, fix } = await refusalOf(spool.bus({}, { env: { AGENTBUS_CAUSE } }));
    assert.deepEqual({ code, fix }, { code: "ERR_ENVELOPE_INVALID", fix: "unset AGENTBUS_CAUSE" }, AGENTBUS_CAUSE);
  }
});
