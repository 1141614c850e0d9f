import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import type { Message } from "@agentbus/core";
import { PersonalSpool, until } from "../support/personal-spool.js";
import { NEEDS_PYTHON, posixPath, writePrograms } from "./programs.js";

const run = promisify(execFile);

test("sh publishes with POSIX tools alone, and everybody whose pattern matches gets it", async (context) => {
  const spool = await PersonalSpool.make(context);
  const { publish } = writePrograms(spool.scratchDir);
  const env = { PATH: posixPath(spool.scratchDir), AGENTBUS_SPOOL: spool.path };
  await publishesToEverybodyWhoWantsIt(spool, async (destination, data) => {
    const { stdout } = await run(publish, data === undefined ? [destination] : [destination, data], { env });
    const [id = "", ...stored] = stdout.trim().split(" ");
    return { id, stored };
  });
});

test("Python publishes likewise", { skip: NEEDS_PYTHON }, async (context) => {
  const spool = await PersonalSpool.make(context);
  const { python } = writePrograms(spool.scratchDir);
  await publishesToEverybodyWhoWantsIt(spool, (destination, data) =>
    publishFromPython(python, spool, destination, data),
  );
});

async function publishesToEverybodyWhoWantsIt(
  spool: PersonalSpool,
  publish: (destination: string, data?: string) => Promise<{ id: string; stored: readonly string[] }>,
): Promise<void> {
  const bus = await spool.bus();
  const received: Message[] = [];
  const refused: string[] = [];
  const options = { onRefused: ({ detail }: { detail: string }) => void refused.push(detail) };
  const wishes: Record<string, string[]> = {
    one: ["build.done", "deploy.*"],
    token: ["*.done"],
    rest: ["build.**"],
    all: ["**"],
    other: ["build", "build.done.well", "*.*.*", "done.**", "*"],
  };
  for (const [durable, patterns] of Object.entries(wishes))
    await bus.subscribe(patterns, { durable, ...options }, (message) => received.push(message));
  await bus.subscribe(["build.done"], { queue: "work", ...options }, (message) => received.push(message));
  await bus.subscribe(`@${bus.user}`, options, (message) => received.push(message));
  // As another subscriber leaves it who is just about to subscribe.
  fs.mkdirSync(join(spool.path, "subscriptions", ".new-abcdefghijklmnop"));

  const { id, stored } = await publish("build.done", '{"commit":"4f2a","text":"a \\"quoted\\" word\\nund Ü"}');
  const mine = (name: string) => `${bus.user}~${name}`;
  assert.deepEqual(new Set(stored), new Set([mine("one"), mine("token"), mine("rest"), mine("all"), "work"]));
  await until(() => received.length === stored.length);
  for (const message of received) {
    assert.equal(message.id, id);
    assert.deepEqual(message.sender, { user: bus.user, uid: bus.uid });
    assert.deepEqual(message.data, { commit: "4f2a", text: 'a "quoted" word\nund Ü' });
    assert.ok(Math.abs(message.time.getTime() - Date.now()) < 60_000);
  }

  received.length = 0;
  const direct = await publish(`@${bus.user}`, '"please review"');
  assert.deepEqual(direct.stored, [mine("inbox")]);
  await until(() => received.length === 1);
  assert.equal(received[0]?.envelope.to, `@${bus.user}`);
  assert.equal(received[0]?.topic, "direct");
  assert.equal(received[0]?.data, "please review");

  const two = [mine("all"), mine("other")];
  assert.deepEqual([...(await publish("build", "1")).stored].sort(), two, "one token");
  assert.deepEqual([...(await publish("x.y.z", "1")).stored].sort(), two, "three tokens");
  await assert.rejects(publish("@nobody-of-that-name"), /nobody/);
  await assert.rejects(publish("not a topic"));
  await until(() => received.length === 5);
  assert.deepEqual(refused, []);
  assert.deepEqual(fs.readdirSync(join(spool.path, "outbox", bus.user)), [], "drafts are removed");
}

test("sh -w waits until every subscriber has acknowledged", async (context) => {
  const spool = await PersonalSpool.make(context);
  const { publish } = writePrograms(spool.scratchDir);
  const bus = await spool.bus();
  await bus.subscribe("x", { durable: "quick" }, () => undefined);
  const slow = bus.subscribe("x", { durable: "slow" });
  const env = { PATH: posixPath(spool.scratchDir), AGENTBUS_SPOOL: spool.path };
  const waiting = spawn(publish, ["-w", "x", "1"], { env, stdio: ["ignore", "ignore", "inherit"] });
  let isOver = false;
  const ended = new Promise<number | null>((resolve) => waiting.on("exit", (code) => ((isOver = true), resolve(code))));
  for await (const message of slow) {
    const [draft = ""] = fs.readdirSync(join(spool.path, "outbox", bus.user)).filter((name) => name.endsWith(".draft"));
    await until(() => fs.statSync(join(spool.path, "outbox", bus.user, draft)).nlink === 2);
    assert.equal(isOver, false);
    await message.ack();
    break;
  }
  assert.equal(await ended, 0);
  assert.deepEqual(fs.readdirSync(join(spool.path, "outbox", bus.user)), []);
});

test("what one Python publishes arrives in its order, priority first", { skip: NEEDS_PYTHON }, async (context) => {
  const spool = await PersonalSpool.make(context);
  const { python } = writePrograms(spool.scratchDir);
  const bus = await spool.bus();
  await (await bus.subscribe("x", { durable: "ordered" })).close();
  await runPython(
    python,
    spool,
    `
for n in range(300):
    agentbus.publish(bus, "x", n)
agentbus.publish(bus, "x", "urgent", priority=0)`,
  );
  const received: unknown[] = [];
  await bus.subscribe("x", { durable: "ordered" }, ({ data }) => received.push(data));
  await until(() => received.length === 301);
  assert.deepEqual(received, ["urgent", ...Array.from({ length: 300 }, (_, n) => n)]);
});

test("a Python publisher keeps to maxBacklog", { skip: NEEDS_PYTHON }, async (context) => {
  const spool = await PersonalSpool.make(context);
  const { python } = writePrograms(spool.scratchDir);
  const bus = await spool.bus();
  await (await bus.subscribe("x", { durable: "small", maxBacklog: 2 })).close();
  for (const _ of [1, 2]) await publishFromPython(python, spool, "x");
  await assert.rejects(publishFromPython(python, spool, "x"), /as many messages as it allows/);
});

test("a Python publisher passes over the subscriptions of dead processes", { skip: NEEDS_PYTHON }, async (context) => {
  const spool = await PersonalSpool.make(context);
  const { python } = writePrograms(spool.scratchDir);
  const bus = await spool.bus();
  const living = await bus.subscribe("x");
  const dead = spawn(
    process.execPath,
    [
      "--input-type=module",
      "--eval",
      `import { openBus } from ${JSON.stringify(import.meta.resolve("@agentbus/core"))};
       const bus = await openBus({ spool: ${JSON.stringify(spool.path)} });
       console.log((await bus.subscribe("x")).name);`,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const name = await new Promise<string>((resolve) => dead.stdout.once("data", (line) => resolve(String(line).trim())));
  const both = await publishFromPython(python, spool, "x");
  assert.deepEqual(new Set(both.stored), new Set([living.name, name]));
  const gone = new Promise((resolve) => dead.on("exit", resolve));
  dead.kill("SIGKILL");
  await gone;
  assert.deepEqual((await publishFromPython(python, spool, "x")).stored, [living.name]);
});

test("a file may hold several envelopes, one in each line, and all of them are delivered", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  const received: unknown[] = [];
  await bus.subscribe("x", { durable: "d" }, ({ data }) => received.push(data));
  const line = (data: number) =>
    JSON.stringify({
      ...{ specversion: "1.0", id: `id-${data}`, source: `/agents/${bus.user}`, type: "x", topic: "x" },
      ...{ time: "2026-03-01T12:00:00Z", data },
    });
  spool.deliver(bus.user, "d", [1, 2, 3].map((n) => `${line(n)}\n`).join(""));
  await until(() => received.length === 3);
  // Written over several lines it is one envelope.
  spool.deliver(bus.user, "d", JSON.stringify(JSON.parse(line(4)), undefined, 2));
  await until(() => received.length === 4);
  // An id that came before is a repeat.
  spool.deliver(bus.user, "d", `${line(4)}\n${line(5)}\n`);
  await until(() => received.length === 5);
  assert.deepEqual(received, [1, 2, 3, 4, 5]);
});

async function publishFromPython(python: string, spool: PersonalSpool, destination: string, data = "null") {
  const code = `print(json.dumps(agentbus.publish(bus, sys.argv[1], json.loads(sys.argv[2]))))`;
  const [id, stored] = JSON.parse(await runPython(python, spool, code, destination, data)) as [string, string[]];
  return { id, stored };
}

async function runPython(python: string, spool: PersonalSpool, code: string, ...args: string[]): Promise<string> {
  const module = `import json, os, sys
sys.path.insert(0, os.path.dirname(${JSON.stringify(python)}))
sys.dont_write_bytecode = True
import agentbus
bus = agentbus.Bus(${JSON.stringify(spool.path)})
${code}`;
  const { stdout } = await run("python3", ["-c", module, ...args]);
  return stdout;
}
