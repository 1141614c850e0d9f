import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Envelope } from "@agentbus/core";
import { onlyJson, Sandbox, until } from "./support/sandbox.js";

test("subscribe --json prints envelope, verified sender, subscription and attempt, one object a line", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  const subscriber = await sandbox.listen(["subscribe", "build.*", "deploy", "--json"]);
  await bus.publish("build.done", { text: "two\nlines" });
  await bus.publish("deploy", null);
  await bus.publish("other", 1);
  await subscriber.until(({ lines }) => lines.length === 2);
  const [first, second] = subscriber.json as { envelope: Envelope; subscription: string }[];
  assert.deepEqual(Object.keys(first ?? {}), ["envelope", "sender", "subscription", "attempt"]);
  const { sender, attempt } = (first ?? {}) as { sender?: unknown; attempt?: unknown };
  assert.deepEqual({ sender, attempt }, { sender: { user: bus.user, uid: bus.uid }, attempt: 1 });
  assert.match(first?.subscription ?? "", /~tmp-/);
  assert.deepEqual(first?.envelope.data, { text: "two\nlines" });
  assert.equal(second?.envelope.data, null);
  assert.equal(subscriber.stderr, "");
});

test("--count ends after so many messages; those behind them stay where they are", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  await (await bus.subscribe("n", { durable: "numbers" })).close();
  await Promise.all([1, 2, 3].map((n) => bus.publish("n", n)));
  const first = await sandbox.run(["subscribe", "n", "--durable", "numbers", "--count", "2"]);
  assert.equal(first.code, 0);
  assert.equal(first.stdout.split("\n").length, 3);
  const second = await sandbox.run(["subscribe", "n", "--durable", "numbers", "--count", "1", "--json"]);
  const { envelope, attempt } = onlyJson(second.stdout) as { envelope: { data: number }; attempt: number };
  assert.deepEqual([envelope.data, attempt], [3, 1]);
});

test("--timeout ends with 124, whether or not something came", async (context) => {
  const sandbox = Sandbox.make(context);
  const { code, stderr } = await sandbox.run(["subscribe", "n", "--timeout", "50ms", "--count", "3"]);
  assert.equal(code, 124);
  assert.match(stderr, /ERR_TIMEOUT: 0 of 3 messages within 50 ms/);
  const json = await sandbox.run(["subscribe", "n", "--timeout", "50ms", "--json"]);
  assert.equal((onlyJson(json.stderr)["error"] as { code: string }).code, "ERR_TIMEOUT");
  assert.deepEqual(sandbox.leftovers(), []);
});

test("what comes while a durable subscription does not run is kept for it", async (context) => {
  const sandbox = Sandbox.make(context);
  await sandbox.run(["subscribe", "build.**", "--durable", "ci", "--timeout", "1ms"]);
  await sandbox.run(["publish", "build.done", "1"]);
  const { stdout } = await sandbox.run(["subscribe", "build.**", "--durable", "ci", "--count", "1"]);
  assert.match(stdout, /build\.done/);
});

test("a durable subscription has one consumer, unless it is shared", async (context) => {
  const sandbox = Sandbox.make(context);
  await sandbox.listen(["subscribe", "job", "--durable", "jobs"]);
  const busy = await sandbox.run(["subscribe", "job", "--durable", "jobs"]);
  assert.equal(busy.code, 1);
  assert.match(busy.stderr, /^ERR_BUSY: .+process \d+.+\n {2}fix: .+--shared/);
  const shared = [1, 2].map(() =>
    sandbox.start(["subscribe", "j", "--durable", "shared", "--shared", "--exec", "cat"]),
  );
  for (const running of shared) await running.until(({ stderr }) => stderr.includes("subscribed"));
  await sandbox.run(["publish", "j", "--lines"], { input: "1\n2\n3\n4\n" });
  await until(() => shared.reduce((count, { lines }) => count + lines.length, 0) === 4);
});

test("options that do not go together are usage errors", async (context) => {
  const sandbox = Sandbox.make(context);
  const bad = [
    ["--shared"],
    ["--durable", "a", "--queue", "b"],
    ["--durable", "not a name"],
    ["--durable", "inbox"],
    ["--concurrency", "2"],
    ["--exec", "cat", "--concurrency", "0"],
    ["--count", "0"],
    ["--timeout", "5"],
  ];
  for (const options of bad) {
    const { code, stderr } = await sandbox.run(["subscribe", "n", ...options]);
    assert.equal(code, 2, options.join(" "));
    assert.match(stderr, /^agentbus: .+/, options.join(" "));
  }
  assert.equal((await sandbox.run(["subscribe", "build.#"])).code, 1);
});

test("an inbox is read as @me or by its address, and nobody else's is", async (context) => {
  const sandbox = Sandbox.make(context);
  const { user } = await sandbox.bus();
  for (const [n, address] of ["@me", `@${user}`].entries()) {
    await sandbox.run(["publish", `@${user}`, String(n)]);
    const { stdout } = await sandbox.run(["subscribe", address, "--count", "1", "--json"]);
    assert.equal((onlyJson(stdout)["envelope"] as { data: number }).data, n);
  }
  const { code, stderr } = await sandbox.run(["subscribe", "@somebody"]);
  assert.equal(code, 1);
  assert.match(stderr, /^ERR_ACCESS/);
});

test("a reader that goes away loses nothing: what it did not get is delivered again", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  await (await bus.subscribe("n", { durable: "numbers" })).close();
  for (let n = 0; n < 50; n++) await bus.publish("n", n);
  const reader = sandbox.start(["subscribe", "n", "--durable", "numbers", "--json"]);
  await reader.until(({ lines }) => lines.length >= 1);
  reader.child.stdout.destroy();
  const seen = reader.stdout.split("\n").filter((line) => line.endsWith("}")).length;
  // Whatever was in the pipe is gone with it; what comes from now on is not acknowledged.
  for (let n = 50; n < 60; n++) await bus.publish("n", n);
  const { code, stderr } = await reader.ended;
  assert.equal(code, 0);
  assert.match(stderr, /^$/);
  const status = (await sandbox.subscriptions()).find(({ label }) => label.endsWith("~numbers"));
  assert.ok(seen >= 1);
  assert.equal(status?.inWork, 0);
  assert.equal(status.dead, 0);
  assert.ok((status.backlog ?? 0) + (status.retries ?? 0) >= 10);
  const rest = await sandbox.run([
    "subscribe",
    "n",
    "--durable",
    "numbers",
    "--count",
    String((status.backlog ?? 0) + (status.retries ?? 0)),
    "--json",
  ]);
  const data = rest.stdout
    .trimEnd()
    .split("\n")
    .map((line) => (onlyJson(line)["envelope"] as { data: number }).data);
  assert.deepEqual(data.slice(-10), [50, 51, 52, 53, 54, 55, 56, 57, 58, 59]);
});

test("a message is acknowledged only when its line could be written", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  await (await bus.subscribe("n", { durable: "numbers" })).close();
  await bus.publish("n", 1);
  const full = fs.openSync("/dev/full", "w");
  context.after(() => fs.closeSync(full));
  const { spawnSync } = await import("node:child_process");
  const { AGENTBUS } = await import("./support/sandbox.js");
  const { status, stderr } = spawnSync(process.execPath, [AGENTBUS, "subscribe", "n", "--durable", "numbers"], {
    env: sandbox.env,
    stdio: ["ignore", full, "pipe"],
    encoding: "utf8",
  });
  assert.equal(status, 1);
  assert.match(stderr, /ENOSPC/);
  const { stdout } = await sandbox.run(["subscribe", "n", "--durable", "numbers", "--count", "1", "--json"]);
  assert.equal(onlyJson(stdout)["attempt"], 1);
});

test("what somebody planted in a drop box is refused in words, and does not end the subscription", async (context) => {
  const sandbox = Sandbox.make(context);
  await sandbox.bus();
  const subscriber = await sandbox.listen(["subscribe", "n", "--durable", "numbers"]);
  const [dir] = fs.readdirSync(join(sandbox.spool, "subscriptions")).filter((name) => name.endsWith("~numbers"));
  fs.writeFileSync(join(sandbox.spool, "subscriptions", dir ?? "", "new", "\x1b[2Jhello"), "");
  await subscriber.until(({ stderr }) => stderr.includes("bad-name"));
  assert.ok(!subscriber.stderr.includes("\x1b"));
  await sandbox.run(["publish", "n", "1"]);
  await subscriber.until(({ lines }) => lines.length === 1);
});
