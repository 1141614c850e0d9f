import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createBus } from "#core/open-bus.js";
import { SeamWatch } from "../crash/seam-calls.js";
import { PersonalSpool, UNSETTLED_PLACES, until } from "../support/personal-spool.js";

// Failures are told as warnings.
process.removeAllListeners("warning");

/** The calls by which a message leaves a stream that is read while it grows. */
const CALLS = [
  "open, to create, a draft in retry/",
  "rename a draft in retry/ → a hidden record",
  "write a progress note",
  "rename a hidden record → retry/….own",
];

for (const failing of CALLS) {
  for (const which of [[2], [1, 2]]) {
    test(`messages ${which.join(" and ")} of a stream cannot be put back before it is sealed: they come again, and nothing stays: ${failing}`, async (context) => {
      const spool = await PersonalSpool.make(context);
      let isBroken = false;
      const watch = new SeamWatch(spool.path, (call, proceed, args) => {
        if (isBroken && call.name === failing) throw Object.assign(new Error("EIO: injected"), { code: "EIO" });
        return proceed(args);
      });
      const options = { backoff: { minMs: 1, maxMs: 1 }, onError: () => undefined };
      const bus = await createBus({ spool: spool.path, rescanMs: 50 }, { fileSystem: watch.fileSystem, env: {} });
      context.after(() => bus.close());
      const publisher = await spool.bus();
      const dir = join(spool.path, "subscriptions", `${bus.user}~a`);
      const left = (part: string) => fs.readdirSync(join(dir, part)).filter((name) => !name.endsWith(".sealed"));
      const attempts: string[] = [];
      await bus.subscribe("a.b", { durable: "a", concurrency: 3, ...options }, ({ data, attempt }) => {
        attempts.push(`${String(data)}.${attempt}`);
        if (attempt === 1 && which.includes(data as number)) {
          isBroken = true;
          throw new Error("not yet");
        }
      });
      // Publishers remember a subscription, and so append, only when its record is some milliseconds old.
      await delay(100);
      for (const n of [0, 1, 2]) await publisher.publish("a.b", n);
      await until(() => fs.readdirSync(join(dir, "new")).some((name) => name.endsWith(".sealed")));
      assert.notDeepEqual(left("cur"), [], "the file stays while not all is settled");
      isBroken = false;
      await until(() => UNSETTLED_PLACES.every((part) => left(part).length === 0));
      assert.deepEqual(attempts.toSorted(), ["0.1", "1.1", "2.1", ...which.map((n) => `${n}.2`)].toSorted());
      await bus.close();
    });
  }
}

test("a message that can neither be read nor put back once it is claimed comes when the disk works again", async (context) => {
  const spool = await PersonalSpool.make(context);
  let isBroken = true;
  const failed: string[] = [];
  const watch = new SeamWatch(spool.path, (call, proceed, args) => {
    if (!isBroken || !/^(open|rename) cur\/…/.test(call.name)) return proceed(args);
    failed.push(call.name);
    throw Object.assign(new Error("EIO: injected"), { code: "EIO" });
  });
  const bus = await createBus({ spool: spool.path, rescanMs: 50 }, { fileSystem: watch.fileSystem, env: {} });
  context.after(() => bus.close());
  const received: unknown[] = [];
  await bus.subscribe("a.b", { durable: "a" }, ({ data }) => void received.push(data));
  const publisher = await spool.bus();
  await publisher.publish("a.b", 1, { sync: "data" });
  await until(() => failed.length > 1);
  assert.deepEqual([...new Set(failed)].toSorted(), ["open cur/…", "rename cur/… → retry/…"]);
  isBroken = false;
  await until(() => received.length === 1);
  assert.deepEqual(received, [1]);
});
