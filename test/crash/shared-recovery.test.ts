import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { PersonalSpool, publishTogether, UNSETTLED_PLACES, until } from "../support/personal-spool.js";
import { Puppet } from "./puppet.js";
import { later } from "./scenarios.js";

const FILES = 60;
const IN_ONE = 5;
/** As PersonalSpool opens its buses. */
const RESCAN_MS = 100;

test("workers that start together after a crash share what was left, and none of it comes twice", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  await (await bus.subscribe("work", { durable: "ci", shared: true })).close();
  for (let file = 0; file < FILES; file++) {
    await publishTogether(bus, IN_ONE, (line) => bus.publish("work", file * IN_ONE + line));
  }
  const dir = join(spool.path, "subscriptions", `${bus.user}~ci`);
  leaveInWork(dir, bus.user);

  const workers = await Promise.all([1, 2, 3].map(() => Puppet.start(context, spool.path)));
  await Promise.all(workers.map((worker) => worker.call("open")));
  const options = { durable: "ci", shared: true };
  await Promise.all(workers.map((worker) => worker.call("subscribe", "work", options, "ack")));
  const handled = () => workers.flatMap((worker) => worker.handled.map(({ data }) => data as number));
  const expected = Array.from({ length: FILES * IN_ONE }, (_, n) => n).filter((n) => n % IN_ONE !== 0);
  await until(() => UNSETTLED_PLACES.every((part) => fs.readdirSync(join(dir, part)).length === 0));
  // What a worker says of the last ones may still be on its way.
  await until(() => handled().length >= expected.length);

  assert.deepEqual(
    handled().sort((a, b) => a - b),
    expected,
  );
});

test("notes whose file is gone are removed by those who share the subscription, once they are a minute old", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  await bus.subscribe("work", { durable: "ci", shared: true }, () => undefined);
  const dir = join(spool.path, "subscriptions", `${bus.user}~ci`);
  // As a consumer leaves it that was killed between the two removals.
  const name = "5-01JQ00000000000000000000A0-abcdefghijklmnopqrstuvwxyz.json.progress";
  fs.writeFileSync(join(dir, "cur", name), "s0\nd0\n");
  await delay(5 * RESCAN_MS);
  assert.deepEqual(fs.readdirSync(join(dir, "cur")), [name], "their file may be on its way");
  await later(2, () => until(() => fs.readdirSync(join(dir, "cur")).length === 0));
});

/** As a consumer leaves it that had acknowledged the first message of every file, and was killed in its handler of the second. */
function leaveInWork(dir: string, user: string): void {
  for (const file of fs.readdirSync(join(dir, "new"))) {
    fs.renameSync(join(dir, "new", file), join(dir, "cur", `1~${user}~aaaaaaaaaaaaaaaa-1~${file}`));
    fs.writeFileSync(join(dir, "cur", `${file}.progress`), "s0\nd0\ns1\n");
  }
}
