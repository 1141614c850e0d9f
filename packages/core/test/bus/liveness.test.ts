import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { isBusError } from "#core/errors.js";
import { describeSelf, type Presence } from "#core/presence.js";
import { TestSpool, until } from "../support/spool.js";

const CORE = new URL("../../../dist/index.js", import.meta.url).href;
const LINUX_ONLY = process.platform === "linux" ? false : "needs /proc";

function subscriberModule(spool: TestSpool, subscribing: string): string {
  return `import { openBus } from ${JSON.stringify(CORE)};
const bus = await openBus({ spool: ${JSON.stringify(spool.path)} });
await bus.subscribe("x", ${subscribing}, ({ data }) => console.log("got", data));
console.log("ready", process.pid);`;
}

/** A process that consumes a subscription; killed after the test. */
async function subscriber(context: TestContext, spool: TestSpool, subscribing = "{}"): Promise<ChildProcess> {
  const args = ["--input-type=module", "--eval", subscriberModule(spool, subscribing)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  context.after(() => child.kill("SIGKILL"));
  await printed(child, /ready/);
  return child;
}

async function printed(child: ChildProcess, pattern: RegExp): Promise<string> {
  let text = "";
  while (!pattern.test(text)) text += String((await once(child.stdout as NodeJS.ReadableStream, "data"))[0]);
  return text;
}

const audience = async (bus: Awaited<ReturnType<TestSpool["bus"]>>) => (await bus.publish("x", 1)).subscriptions.length;

test("an ephemeral subscription whose process was killed soon receives nothing, and the next bus sweeps it", async (context) => {
  const spool = await TestSpool.make(context);
  const child = await subscriber(context, spool);
  const bus = await spool.bus();
  assert.equal(await audience(bus), 1);
  child.kill("SIGKILL");
  await once(child, "exit");
  await until(async () => (await audience(bus)) === 0, 5_000);
  await bus.subscribe("other");
  await until(() => spool.names("subscriptions").filter((name) => name.includes("~tmp-")).length === 1, 5_000);
});

test("a process that is dead and not yet buried does not count as alive", { skip: LINUX_ONLY }, async (context) => {
  const spool = await TestSpool.make(context);
  // The shell becomes a program that never asks for its child: killed, the child stays a zombie.
  const script = `"$0" --input-type=module --eval "$1" & exec sleep 60`;
  const parent = spawn("/bin/sh", ["-c", script, process.execPath, subscriberModule(spool, "{}")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  context.after(() => parent.kill("SIGKILL"));
  const pid = Number(/ready (\d+)/.exec(await printed(parent, /ready \d+\n/))?.[1]);
  const bus = await spool.bus();
  assert.equal(await audience(bus), 1);
  process.kill(pid, "SIGKILL");
  await until(() => /\) Z /.test(fs.readFileSync(`/proc/${pid}/stat`, "latin1")));
  await until(async () => (await audience(bus)) === 0, 5_000);
});

test("a process that stands still keeps receiving", async (context) => {
  const spool = await TestSpool.make(context);
  const child = await subscriber(context, spool);
  const bus = await spool.bus();
  child.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 1_200)); // longer than a publisher believes that somebody lives
  assert.equal(await audience(bus), 1);
  child.kill("SIGCONT");
  await printed(child, /got 1/);
});

test(
  "who took over the pid of a dead consumer is not taken for it; in another namespace the heartbeat tells",
  { skip: LINUX_ONLY },
  async (context) => {
    const spool = await TestSpool.make(context);
    const owner = await spool.bus();
    const { name } = await owner.subscribe("x");
    const path = join(spool.path, "subscriptions", name, "subscription.json");
    const record = JSON.parse(fs.readFileSync(path, "utf8")) as { consumer: Presence };
    const token = record.consumer.token;
    const self = describeSelf(owner.user, token);
    const heartbeat = join(spool.path, "run", owner.user, `${token}.lock`);
    const isHeard = async (consumer: Presence): Promise<boolean> => {
      fs.writeFileSync(`${path}.new`, JSON.stringify({ ...record, consumer }));
      fs.renameSync(`${path}.new`, path);
      const bus = await spool.bus();
      return (await audience(bus)) === 1;
    };
    assert.equal(await isHeard(self), true);
    assert.equal(await isHeard({ ...self, startTime: "1" }), false, "this pid, started at another time");
    assert.equal(await isHeard({ ...self, pid: 1, startTime: "999" }), false, "another's pid, started at another time");
    assert.equal(
      await isHeard({ ...self, bootId: "00000000-0000-0000-0000-000000000000" }),
      false,
      "before the last boot",
    );
    assert.equal(await isHeard({ ...self, pid: 1, pidNamespace: "pid:[1]" }), true, "in a container, with a heartbeat");
    fs.utimesSync(heartbeat, new Date(0), new Date(0));
    assert.equal(await isHeard({ ...self, pid: 1, pidNamespace: "pid:[1]" }), false, "in a container, and silent");
  },
);

test("the heartbeat goes on, also after somebody has cleared run/", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  await bus.subscribe("x");
  const run = join(spool.path, "run", bus.user);
  const name = fs.readdirSync(run).find((each) => /^[a-z2-7]{16}\.lock$/.test(each)) ?? "";
  const beatAt = () => fs.statSync(join(run, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  fs.utimesSync(join(run, name), new Date(0), new Date(0));
  await until(() => beatAt() > 0);
  fs.rmdirSync(join(run, name));
  await until(() => beatAt() > 0);
  await bus.close();
  assert.deepEqual(spool.names("run", bus.user), []);
});

test("a durable subscription can be opened again at once after its consumer was killed", async (context) => {
  const spool = await TestSpool.make(context);
  for (let round = 0; round < 3; round++) {
    const child = await subscriber(context, spool, `{ durable: "d" }`);
    child.kill("SIGKILL");
    await once(child, "exit");
    const bus = await spool.bus();
    await bus.subscribe("x", { durable: "d" });
    await bus.close();
  }
});

test("of consumers that open a durable subscription at the same time, one gets it", async (context) => {
  const spool = await TestSpool.make(context);
  const buses = await Promise.all(Array.from({ length: 4 }, () => spool.bus()));
  for (let round = 0; round < 20; round++) {
    const outcomes = await Promise.allSettled(buses.map((bus) => bus.subscribe("x", { durable: "d" })));
    const winners = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    const losers = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
    assert.equal(winners.length, 1);
    for (const loser of losers) assert.ok(isBusError(loser) && loser.code === "ERR_BUSY", String(loser));
    await winners[0]?.close();
  }
});

test("a clock that is set back does not change the order of one publisher's messages", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const now = Date.now.bind(Date);
  context.after(() => (Date.now = now));
  await (await bus.subscribe("x", { durable: "d" })).close();
  for (let i = 0; i < 10; i++) {
    Date.now = () => now() - i * 600_000;
    await bus.publish("x", i);
  }
  // A subscription made now is from before the messages, by the clock.
  await (await bus.subscribe("x", { durable: "late" })).close();
  await bus.publish("x", 10);
  Date.now = now;
  const got: unknown[] = [];
  for await (const message of bus.subscribe("x", { durable: "d" })) {
    got.push(message.data);
    await message.ack();
    if (got.length === 11) break;
  }
  assert.deepEqual(got, [...got.keys()]);
  for await (const message of bus.subscribe("x", { durable: "late" })) {
    assert.equal(message.data, 10);
    break;
  }
});
