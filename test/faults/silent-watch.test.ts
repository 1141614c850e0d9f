import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import fs from "node:fs";
import { mock, test } from "node:test";
import { PersonalSpool, until } from "../support/personal-spool.js";

test("a subscription whose watch never says anything gets everything by looking from time to time", async (context) => {
  const silent = mock.method(fs, "watch", () => Object.assign(new EventEmitter(), { close: () => undefined }));
  context.after(() => silent.mock.restore());
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus({ rescanMs: 50, watch: "native" });
  const handled: unknown[] = [];
  const subscription = await bus.subscribe("work", { durable: "ci" }, ({ data, attempt }) => {
    if (data === 7 && attempt === 1) throw new Error("not yet");
    handled.push(data);
  });
  assert.equal(silent.mock.callCount(), 1);
  // Each comes only when nobody expects anything any more.
  for (let n = 0; n < 10; n++) {
    await bus.publish("work", n);
    await until(() => subscription.stats.delivered > n);
  }
  await until(() => handled.length === 10);
});
