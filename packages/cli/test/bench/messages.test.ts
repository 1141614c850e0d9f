import assert from "node:assert/strict";
import { test } from "node:test";
import { envelopesOf, payloadsOf, TOPIC } from "#cli/bench/payload.js";
import { WARM_UP_EVERY_MS } from "#cli/bench/measure.js";
import { planFor } from "#cli/bench/plan.js";
import { SerialCheck } from "#cli/bench/serial-check.js";
import { Sandbox } from "../support/sandbox.js";

test("the bus and the socket carry envelopes of just the size that is announced", async (context) => {
  const bus = await Sandbox.make(context).bus();
  const payloadOf = payloadsOf(512, bus.user);
  assert.equal(JSON.stringify(envelopesOf(bus.user)(payloadOf(1))).length, 512);
  const subscription = await bus.subscribe(TOPIC);
  const serials = [1, 99_999];
  for (const serial of serials) await bus.publish(TOPIC, payloadOf(serial));
  for await (const { envelope } of subscription) {
    assert.equal(Buffer.byteLength(JSON.stringify(envelope)), 512);
    serials.pop();
    if (serials.length === 0) break;
  }
});

test("serial numbers tell what was lost, repeated and reordered", () => {
  const resultOf = (sent: number, ...arrived: number[]) => {
    const check = new SerialCheck();
    for (const serial of arrived) check.arrived(serial);
    const { lost, repeated, reordered } = check.result(sent);
    return { lost, repeated, reordered };
  };
  const nothing = { lost: 0, repeated: 0, reordered: 0 };
  assert.deepEqual(resultOf(3, 1, 2, 3), nothing);
  assert.deepEqual(resultOf(3, 1, 3), { ...nothing, lost: 1 });
  assert.deepEqual(resultOf(3, 1, 2), { ...nothing, lost: 1 });
  assert.deepEqual(resultOf(3), { ...nothing, lost: 3 });
  assert.deepEqual(resultOf(3, 2, 1, 3), { ...nothing, reordered: 1 });
  assert.deepEqual(resultOf(3, 1, 1, 2, 3, 2), { ...nothing, repeated: 2 });
});

test("a plan takes about the time that it is given, and has rounds to interleave", () => {
  for (const seconds of [2, 10, 60, 600]) {
    const { perSecond, rounds, messagesPerRound, bursts, burstMs, inTurnMs, warmUp } = planFor(seconds);
    const latencyMs = (2 * rounds * messagesPerRound * 1_000) / perSecond;
    const warmUpMs = 2 * warmUp * WARM_UP_EVERY_MS;
    const totalMs = latencyMs + bursts * burstMs + 2 * inTurnMs + warmUpMs;
    assert.ok(totalMs > 700 * seconds && totalMs <= 1_000 * seconds, `${totalMs} ms of ${seconds} s`);
    assert.ok(rounds >= 2 && messagesPerRound >= 100);
  }
});
