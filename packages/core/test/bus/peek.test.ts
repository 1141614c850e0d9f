import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { PeekedMessage } from "#core/deliver/peek.js";
import type { Refusal } from "#core/deliver/refusal.js";
import { TestSpool, until } from "../support/spool.js";

test("peeking shows what waits in the inbox and what comes, once each, and takes nothing", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const me = `@${bus.user}` as const;
  const arrivals = ["subscriptions", `${bus.user}~inbox`, "new"];
  await bus.publish(me, "first");
  const forged = join(spool.path, ...arrivals, "5-01JQ00000000000000000000A0-abcdefghijklmnopqrstuvwxyz.json");
  fs.writeFileSync(forged, "{}");

  const seen: PeekedMessage[] = [];
  const refused: Refusal[] = [];
  const end = new AbortController();
  const peeking = (async () => {
    for await (const message of bus.peek({ onRefused: (refusal) => refused.push(refusal), signal: end.signal })) {
      seen.push(message);
    }
  })();
  await until(() => seen.length === 1 && refused.length === 1);
  await bus.publish(me, "second");
  await until(() => seen.length === 2);
  assert.deepEqual(
    seen.map(({ data, sender, attempt }) => [data, sender.user, attempt]),
    [
      ["first", bus.user, 1],
      ["second", bus.user, 1],
    ],
  );
  assert.equal(refused[0]?.reason, "invalid-envelope");
  assert.equal(spool.names(...arrivals).length, 3);

  const got: unknown[] = [];
  await bus.subscribe(me, { onError: () => {} }, async (message) => {
    got.push(message.data);
    if (got.length === 1) throw new Error("again, please");
  });
  await until(() => got.length >= 2);
  end.abort();
  await peeking;
  assert.equal(seen.length, 2);
});

test("peeking ends with the bus", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const peeking = all(bus.peek());
  await new Promise((resolve) => setImmediate(resolve));
  await bus.close();
  assert.deepEqual(await peeking, []);
});

async function all(messages: AsyncIterable<unknown>): Promise<unknown[]> {
  const list: unknown[] = [];
  for await (const message of messages) list.push(message);
  return list;
}
