import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Bus } from "@agentbus/core";
import { PersonalSpool, until } from "../support/personal-spool.js";
import { Puppet } from "./puppet.js";

test("an ephemeral subscription whose process was killed receives nothing more, and is swept by the next one", async (context) => {
  const spool = await PersonalSpool.make(context);
  const [publisher, listener] = [await spool.bus(), await Puppet.start(context, spool.path)];
  const name = await listen(listener);
  assert.deepEqual((await publisher.publish("work", 1)).subscriptions, [name]);
  await listener.kill();
  await until(async () => (await publisher.publish("work", 2)).subscriptions.length === 0);
  await sweepsAway(spool, publisher, name);
});

test("so does one whose process is a zombie", async (context) => {
  const spool = await PersonalSpool.make(context);
  const publisher = await spool.bus();
  const listener = await Puppet.startUnderNegligentParent(context, spool.path);
  const name = await listen(listener);
  const pid = await listener.call("pid");
  process.kill(pid, "SIGKILL");
  await until(() => / Z /.test(fs.readFileSync(`/proc/${pid}/stat`, "latin1")));
  await until(async () => (await publisher.publish("work", 2)).subscriptions.length === 0);
  await sweepsAway(spool, publisher, name);
});

test("so does one whose pid has become another process's", async (context) => {
  const spool = await PersonalSpool.make(context);
  const [publisher, listener] = [await spool.bus(), await Puppet.start(context, spool.path)];
  const name = await listen(listener);
  const path = join(spool.path, "subscriptions", name, "subscription.json");
  const record = JSON.parse(fs.readFileSync(path, "utf8")) as { consumer: object };
  fs.writeFileSync(path, JSON.stringify({ ...record, consumer: { ...record.consumer, startTime: "1" } }));
  // As whoever changes a record in place has to.
  fs.mkdirSync(join(spool.path, "subscriptions", ".touch-it"));
  fs.rmdirSync(join(spool.path, "subscriptions", ".touch-it"));
  assert.deepEqual((await publisher.publish("work", 1)).subscriptions, []);
  await sweepsAway(spool, publisher, name);
});

test("one whose process is stopped, or too busy to do anything, goes on receiving", async (context) => {
  const spool = await PersonalSpool.make(context);
  const [publisher, listener] = [await spool.bus(), await Puppet.start(context, spool.path)];
  const name = await listen(listener);
  listener.signal("SIGSTOP");
  // Longer than a publisher believes that somebody lives without looking again.
  for (const began = performance.now(); performance.now() - began < 2_500;) {
    assert.deepEqual((await publisher.publish("work", "stopped")).subscriptions, [name]);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  listener.signal("SIGCONT");
  await listener.call("block", 1_500);
  assert.deepEqual((await publisher.publish("work", "busy")).subscriptions, [name]);
  await until(() => listener.handled.some(({ data }) => data === "busy"));
  assert.ok(listener.handled.filter(({ data }) => data === "stopped").length > 20);
});

async function listen(listener: Puppet): Promise<string> {
  await listener.call("open");
  return listener.call("subscribe", "work", {}, "ack");
}

async function sweepsAway(spool: PersonalSpool, publisher: Bus, name: string): Promise<void> {
  const next = await spool.bus();
  await next.subscribe("nothing");
  await until(() => !fs.existsSync(join(spool.path, "subscriptions", name)));
  assert.deepEqual((await publisher.publish("work", 3)).subscriptions, []);
}
