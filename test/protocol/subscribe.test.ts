import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { isBusError, type Bus } from "@agentbus/core";
import { PersonalSpool, publishTogether, until } from "../support/personal-spool.js";
import { NEEDS_PYTHON, posixPath, writePrograms } from "./programs.js";

test("sh subscribes, takes in order, and tells the sender by the owner of the file", async (context) => {
  const { spool, bus, shell } = await setUp(context);
  const subscriber = shell("hand", "build.**", "sh", "-c", 'printf "%s " "$SENDER"; cat');
  await until(() => isThere(spool, bus, "hand"));
  const { subscriptions } = await bus.publish("build.done", { n: 0 });
  assert.deepEqual(subscriptions, [`${bus.user}~hand`], "a publish after the subscription was made reaches it");
  assert.deepEqual((await bus.publish("deploy.done")).subscriptions, []);
  for (let n = 1; n < 5; n++) await bus.publish("build.done", { n });
  await until(() => subscriber.lines.length === 5);
  const received = subscriber.lines.map((line) => {
    const [sender, ...rest] = line.split(" ");
    return { sender, data: (JSON.parse(rest.join(" ")) as { data: unknown }).data };
  });
  assert.deepEqual(
    received,
    [0, 1, 2, 3, 4].map((n) => ({ sender: bus.user, data: { n } })),
  );
  await until(() => partsOf(spool, bus, "hand").every((names) => names.length === 0));
});

test("sh delivers a message again whose command failed, or that was in work when it was killed", async (context) => {
  const { spool, bus, shell } = await setUp(context);
  const failing = shell("hand", "x", "sh", "-c", "cat; exit 1");
  await until(() => isThere(spool, bus, "hand"));
  await bus.publish("x", 1);
  assert.equal(await failing.ended, 1);
  assert.equal(failing.lines.length, 1);

  const killed = shell("hand", "x", "sh", "-c", "cat; exec sleep 600");
  await until(() => killed.lines.length === 1);
  killed.kill();
  await killed.ended;
  assert.equal(fs.readdirSync(join(directoryOf(spool, bus, "hand"), "cur")).length, 1);

  const third = shell("hand", "x", "cat");
  await until(() => third.lines.length === 1);
  await until(() => partsOf(spool, bus, "hand").every((names) => names.length === 0));
});

test("sh neither waits for a FIFO, follows a link, nor stumbles over a directory", async (context) => {
  const { spool, bus, shell } = await setUp(context);
  const subscriber = shell("hand", "x", "cat");
  await until(() => isThere(spool, bus, "hand"));
  const name = (n: number) => `0-01JQ00000000000000000000A${n}-abcdefghijklmnopqrstuvwxyz.json`;
  const at = (file: string) => join(directoryOf(spool, bus, "hand"), "new", file);
  await new Promise((resolve) => spawn("mkfifo", [at(name(1))]).on("exit", resolve));
  fs.symlinkSync("/etc/passwd", at(name(2)));
  fs.mkdirSync(join(at(name(3)), "full"), { recursive: true });
  fs.writeFileSync(at("0-\nname with spaces and ~ in it.json"), "");
  await bus.publish("x", "at last");
  await until(() => subscriber.lines.some((line) => line.includes("at last")));
  assert.ok(!subscriber.lines.some((line) => line.includes("root:")));
});

test("Python subscribes, and refuses what it must", { skip: NEEDS_PYTHON }, async (context) => {
  const { spool, bus, python } = await setUp(context);
  const subscriber = python("subscribe", "hand", "build.**", "deploy.*");
  await until(() => isThere(spool, bus, "hand"));
  await publishTogether(bus, 3, (n) => bus.publish("build.done", n + 1));
  const foreign = {
    specversion: "1.0",
    id: "x",
    source: `/agents/${bus.user}`,
    type: "t",
    time: "2026-03-01T12:00:00Z",
  };
  const refused = [
    ["not-for-this-subscription", { ...foreign, topic: "secret" }],
    ["not-for-this-subscription", { ...foreign, topic: "build.done", to: "@somebody" }],
    ["invalid-envelope", { ...foreign }],
    ["invalid-envelope", { ...foreign, topic: "build.done", expirytime: "tomorrow" }],
    ["hops", { ...foreign, topic: "build.done", hops: 17 }],
  ] as const;
  for (const [, envelope] of refused) spool.deliver(bus.user, "hand", `${JSON.stringify(envelope)}\n`);
  spool.deliver(
    bus.user,
    "hand",
    JSON.stringify({ ...foreign, topic: "build.done", expirytime: "2026-03-01T12:00:00Z" }),
  );
  spool.deliver(bus.user, "hand", "junk");
  await bus.publish("deploy.done", "last", { priority: 9 });
  await until(() => subscriber.lines.length === 4);
  const delivered = subscriber.lines.map((line) => JSON.parse(line) as { sender: string; envelope: { data: unknown } });
  assert.deepEqual(
    delivered.map(({ sender, envelope }) => [sender, envelope.data]),
    [1, 2, 3, "last"].map((data) => [bus.user, data]),
  );
  const deadDir = join(directoryOf(spool, bus, "hand"), "dead");
  const reasons = fs
    .readdirSync(deadDir)
    .filter((name) => name.endsWith(".reason.json"))
    .map((name) => (JSON.parse(fs.readFileSync(join(deadDir, name), "utf8")) as { reason: string }).reason);
  assert.deepEqual(reasons.sort(), [...refused.map(([reason]) => reason as string), "invalid-envelope"].sort());
});

test(
  "a Python consumer keeps agentbus off while it lives, and its unfinished message comes back when it is killed",
  { skip: NEEDS_PYTHON },
  async (context) => {
    const { spool, bus, python } = await setUp(context);
    const first = python("subscribe", "hand", "x");
    await until(() => isThere(spool, bus, "hand"));
    await bus.publish("x", 1);
    await until(() => first.lines.length === 1);
    // Asking for the next message acknowledges the one before, so the second is in work now.
    const failure = await bus.subscribe("x", { durable: "hand" }).then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.ok(isBusError(failure) && failure.code === "ERR_BUSY", String(failure));
    assert.match(failure.message, new RegExp(`process ${first.pid},`));
    first.kill();
    await first.ended;

    // The other way round: what agentbus had in work when it was killed comes back to Python.
    fs.writeFileSync(join(spool.scratchDir, "claim"), "");
    await bus.publish("x", 2);
    const claimed = fs.readdirSync(join(directoryOf(spool, bus, "hand"), "new"))[0] ?? "";
    const claim = join(directoryOf(spool, bus, "hand"), "cur", `1~${bus.user}~abcdefghijklmnop-1~${claimed}`);
    fs.renameSync(join(directoryOf(spool, bus, "hand"), "new", claimed), claim);
    const second = python("subscribe", "hand", "x");
    await until(() => second.lines.length === 1);
    second.kill();
    await second.ended;

    const received: unknown[] = [];
    await bus.subscribe("x", { durable: "hand" }, ({ data }) => received.push(data));
    await bus.publish("x", 3);
    await until(() => received.includes(3));
  },
);

test("Python asks agentbus, and answers it", { skip: NEEDS_PYTHON }, async (context) => {
  const { spool, bus, python, module } = await setUp(context);
  await bus.respond("math.add", ({ data }) => (data as number[]).reduce((a, b) => a + b));
  const asking = python("request", "math.add", "[1, 2, 3]");
  assert.equal(await asking.ended, 0);
  const answer = JSON.parse(asking.lines[0] ?? "") as Record<string, unknown>;
  assert.deepEqual([answer["data"], answer["type"], answer["hops"]], [6, "math.add.reply", 1]);
  assert.deepEqual(
    fs.readdirSync(join(spool.path, "subscriptions")).filter((name) => name.includes("reply-")),
    [],
  );

  module(`
agentbus.subscribe(bus, "product", "math.multiply")
for sender, question in agentbus.messages(bus, "product"):
    a, b = question["data"]
    agentbus.answer(bus, sender, question, a * b)`);
  await until(() => isThere(spool, bus, "product"));
  const reply = await bus.request("math.multiply", [6, 7]);
  assert.equal(reply.data, 42);
  assert.equal(reply.envelope.causationid, reply.envelope.correlationid);
});

test("Python reads its inbox", { skip: NEEDS_PYTHON }, async (context) => {
  const { bus, python } = await setUp(context);
  const inbox = python("inbox");
  await bus.publish(`@${bus.user}`, "please review");
  await until(() => inbox.lines.length === 1);
  assert.equal((JSON.parse(inbox.lines[0] ?? "") as { envelope: { data: string } }).envelope.data, "please review");
});

interface Program {
  readonly pid: number;
  /** What it has written to stdout. */
  readonly lines: readonly string[];
  readonly ended: Promise<number | null>;
  kill(): void;
}

async function setUp(context: TestContext) {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  const programs = writePrograms(spool.scratchDir);
  const running: Program[] = [];
  const start = (command: string, args: readonly string[], env: NodeJS.ProcessEnv): Program => {
    const program = follow(spawn(command, args, { env, stdio: ["ignore", "pipe", "inherit"], detached: true }));
    running.push(program);
    return program;
  };
  context.after(async () => {
    for (const program of running) program.kill();
    await Promise.all(running.map(({ ended }) => ended));
  });
  const environment = { AGENTBUS_SPOOL: spool.path };
  const path = posixPath(spool.scratchDir);
  return {
    spool,
    bus,
    shell: (...args: string[]) => start(programs.subscribe, args, { ...environment, PATH: path }),
    python: (...args: string[]) => start("python3", [programs.python, ...args], { ...process.env, ...environment }),
    module: (code: string) => {
      const before = `import agentbus\nbus = agentbus.Bus(${JSON.stringify(spool.path)})\n`;
      const env = { ...process.env, PYTHONPATH: spool.scratchDir, PYTHONDONTWRITEBYTECODE: "1" };
      return start("python3", ["-c", before + code], env);
    },
  };
}

function follow(child: ChildProcess): Program {
  const lines: string[] = [];
  if (child.stdout !== null) createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  let isOver = false;
  const ended = new Promise<number | null>((resolve) => child.on("close", (code) => ((isOver = true), resolve(code))));
  const pid = child.pid ?? 0;
  // With all that it has started: a command that a shell waits for would otherwise live on.
  return { pid, lines, ended, kill: () => void (isOver || process.kill(-pid, "SIGKILL")) };
}

function directoryOf(spool: PersonalSpool, bus: Bus, name: string): string {
  return join(spool.path, "subscriptions", `${bus.user}~${name}`);
}

function isThere(spool: PersonalSpool, bus: Bus, name: string): boolean {
  return fs.existsSync(directoryOf(spool, bus, name));
}

function partsOf(spool: PersonalSpool, bus: Bus, name: string): string[][] {
  return ["new", "cur", "retry", "dead"].map((part) => fs.readdirSync(join(directoryOf(spool, bus, name), part)));
}
