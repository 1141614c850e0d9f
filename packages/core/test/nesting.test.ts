import assert from "node:assert/strict";
import { test } from "node:test";
import { isNestedTooDeeply, MAX_NESTING } from "#core/nesting.js";
import { refusalOf } from "./support/refusal.js";
import { TestSpool } from "./support/spool.js";

const isDeep = isNestedTooDeeply;
const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

test("arrays and objects count alike, and only where one is inside another", () => {
  assert.equal(isDeep(nested(MAX_NESTING)), false);
  assert.equal(isDeep(nested(MAX_NESTING + 1)), true);
  assert.equal(isDeep('{"a":['.repeat(MAX_NESTING / 2 + 1)), true);
  assert.equal(isDeep(`[${"[],{},".repeat(10_000)}[]]`), false);
  assert.equal(isDeep(`${nested(MAX_NESTING)}\n`.repeat(3)), false);
});

test("what stands in a string does not count, whatever it is escaped with", () => {
  const brackets = "[".repeat(1_000);
  assert.equal(isDeep(`["${brackets}"]`), false);
  assert.equal(isDeep(`["\\"${brackets}"]`), false);
  assert.equal(isDeep(`["\\\\",${brackets}`), true);
  assert.equal(isDeep(`["${brackets}`), false);
});

test("a publisher is told that nobody would take it", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  await bus.subscribe("deep", { durable: "deep" }, () => undefined);
  const { code, fix } = await refusalOf(bus.publish("deep", JSON.parse(nested(300))));
  assert.deepEqual([code, fix], ["ERR_TOO_LARGE", "publish it flatter, or as text: JSON.stringify(data)"]);
  assert.equal((await bus.publish("deep", JSON.parse(nested(250)))).subscriptions.length, 1);
});
