import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TestSpool, until } from "../support/spool.js";

const FILE = "5-01JQ00000000000000000000A0-abcdefghijklmnopqrstuvwxyz";

test("what a consumer had not yet judged when it died is judged by the next one", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  await (await bus.subscribe("build.*", { durable: "ci" })).close();
  const line = (id: string, topic: string) =>
    JSON.stringify({
      ...{ specversion: "1.0", id, source: `/agents/${bus.user}`, type: topic, time: new Date().toISOString(), topic },
    });
  const lines = [line("a", "build.done"), line("b", "secret.done"), '{"id":"c"}', "not JSON", line("e", "build.done")];
  const subscription = `subscriptions/${bus.user}~ci`;
  // As a process leaves it that was killed in its handler of the first line, before it looked at the others.
  const claim = join(spool.path, subscription, "cur", `1~${bus.user}~token-1~${FILE}.json`);
  fs.writeFileSync(claim, lines.map((each) => `${each}\n`).join(""));
  fs.writeFileSync(join(spool.path, subscription, "cur", `${FILE}.json.progress`), "s0\n");

  const delivered: [string, number][] = [];
  await bus.subscribe("build.*", { durable: "ci" }, ({ id, attempt }) => delivered.push([id, attempt]));
  await until(() => delivered.length === 2 && spool.names(subscription, "retry").length === 0);

  assert.deepEqual(delivered, [
    ["a", 2],
    ["e", 1],
  ]);
  const letters = spool.names(subscription, "dead").sort();
  assert.deepEqual(
    letters,
    [1, 2, 3].flatMap((index) => [`${FILE}.00000${index}.json`, `${FILE}.00000${index}.reason.json`]),
  );
  const reasons = [1, 2, 3].map((index) => {
    const path = join(spool.path, subscription, "dead", `${FILE}.00000${index}.reason.json`);
    return JSON.parse(fs.readFileSync(path, "utf8")) as { reason: string; sender: { uid: number; user: string } };
  });
  assert.deepEqual(
    reasons.map(({ reason }) => reason),
    ["not-for-this-subscription", "invalid-envelope", "invalid-json"],
  );
  for (const { sender } of reasons) assert.deepEqual(sender, { uid: bus.uid, user: bus.user });
  const copy = fs.readFileSync(join(spool.path, subscription, "dead", `${FILE}.000001.json`), "utf8");
  assert.equal(copy, `${lines[1]}\n`);
});
