import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Sandbox, until } from "./support/sandbox.js";

test("Ctrl-C leaves nothing of an ephemeral subscription behind", async (context) => {
  const sandbox = Sandbox.make(context);
  await sandbox.bus();
  for (const args of [
    ["subscribe", "**"],
    ["subscribe", "**", "--json"],
    ["tail"],
    ["respond", "ask", "--exec", "cat"],
  ]) {
    const running = await sandbox.listen(args);
    await sandbox.run(["publish", "hello", "1"]);
    running.signal("SIGINT");
    assert.equal((await running.ended).code, 130, args.join(" "));
    assert.deepEqual(runsOf(sandbox), [], args.join(" "));
    assert.deepEqual(sandbox.leftovers(), [], args.join(" "));
  }
});

test("SIGTERM and SIGHUP end a command as Ctrl-C does, each with its exit code", async (context) => {
  const sandbox = Sandbox.make(context);
  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    const running = await sandbox.listen(["subscribe", "**"]);
    running.signal(signal);
    assert.equal((await running.ended).code, code);
  }
  assert.deepEqual(sandbox.leftovers(), []);
});

test("Ctrl-C ends the commands that run, with all that they started, and puts their messages back uncounted", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  const pids = join(sandbox.dir, "pids");
  const command = `echo $$ >> ${pids}; sleep 300 & echo $! >> ${pids}; wait`;
  const running = await sandbox.listen([
    "subscribe",
    "job",
    "--durable",
    "jobs",
    "--exec",
    command,
    "--concurrency",
    "2",
  ]);
  await bus.publish("job", 1);
  await bus.publish("job", 2);
  await until(() => linesOf(pids).length === 4);
  running.signal("SIGINT");
  assert.equal((await running.ended).code, 130);
  for (const pid of linesOf(pids)) await until(() => !isRunning(Number(pid)));
  const status = (await sandbox.subscriptions()).find(({ label }) => label.endsWith("~jobs"));
  assert.deepEqual([status?.inWork, status?.dead, status?.consumers], [0, 0, []]);

  const again = await sandbox.run([
    "subscribe",
    "job",
    "--durable",
    "jobs",
    "--count",
    "2",
    "--exec",
    "echo $AGENTBUS_ATTEMPT",
  ]);
  assert.equal(again.stdout, "1\n1\n");
});

test("a command that finishes in spite of Ctrl-C has done its message", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  const begun = join(sandbox.dir, "begun");
  const command = `trap 'exit 0' INT; touch ${begun}; while :; do sleep 0.02; done`;
  const running = await sandbox.listen(["subscribe", "job", "--durable", "jobs", "--exec", command]);
  await bus.publish("job", 1);
  await until(() => fs.existsSync(begun));
  running.signal("SIGINT");
  assert.equal((await running.ended).code, 130);
  const status = (await sandbox.subscriptions()).find(({ label }) => label.endsWith("~jobs"));
  assert.deepEqual([status?.backlog, status?.inWork, status?.retries, status?.dead], [0, 0, 0, 0]);
});

test("a second Ctrl-C ends a command that will not, and its message is not lost", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  const pids = join(sandbox.dir, "pids");
  const command = `trap '' INT; echo $$ >> ${pids}; while :; do sleep 0.02; done`;
  const running = await sandbox.listen(["subscribe", "job", "--durable", "jobs", "--exec", command]);
  await bus.publish("job", 1);
  await until(() => linesOf(pids).length === 1);
  running.signal("SIGINT");
  await running.until(({ stderr }) => stderr.includes("waiting for what still runs (1)"));
  running.signal("SIGINT");
  assert.equal((await running.ended).code, 130);
  await until(() => !isRunning(Number(linesOf(pids)[0])));
  const { stdout } = await sandbox.run(["subscribe", "job", "--durable", "jobs", "--count", "1", "--json"]);
  assert.match(stdout, /"data":1/);
});

test("an interrupted request takes its mailbox along, an interrupted publish its receipt", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  const subscription = await bus.subscribe("ask", () => {});
  const asking = sandbox.start(["request", "ask", "1"]);
  await until(async () => (await sandbox.subscriptions()).some(({ kind }) => kind === "reply"));
  asking.signal("SIGINT");
  assert.equal((await asking.ended).code, 130);
  await subscription.close();

  await (await bus.subscribe("job", { durable: "jobs" })).close();
  const waiting = sandbox.start(["publish", "job", "1", "--receipt"]);
  await waiting.until(({ lines }) => lines.length === 1);
  waiting.signal("SIGINT");
  assert.equal((await waiting.ended).code, 130);
  await bus.unsubscribe("jobs");
  await bus.close();
  assert.deepEqual(sandbox.leftovers(), []);
});

test("an interrupted publish --lines says how far it came", async (context) => {
  const sandbox = Sandbox.make(context);
  await sandbox.bus();
  const subscriber = await sandbox.listen(["subscribe", "n"]);
  const { spawn } = await import("node:child_process");
  const { AGENTBUS } = await import("./support/sandbox.js");
  const child = spawn(process.execPath, [AGENTBUS, "publish", "n", "--lines"], { env: sandbox.env });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.write("1\n2\n");
  await subscriber.until(({ lines }) => lines.length === 2);
  child.kill("SIGINT");
  const code = await new Promise((resolve) => child.on("close", resolve));
  assert.equal(code, 130);
  assert.match(stderr, /^published 2 messages/);
});

function runsOf(sandbox: Sandbox): string[] {
  const dir = join(sandbox.spool, "run");
  return fs.readdirSync(dir, { recursive: true, encoding: "utf8" }).filter((name) => name.includes("/"));
}

function linesOf(path: string): string[] {
  return fs.existsSync(path) ? fs.readFileSync(path, "utf8").trimEnd().split("\n") : [];
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // A zombie waits for whoever adopted it, and has ended.
  const stat = fs.existsSync(`/proc/${pid}/stat`) ? fs.readFileSync(`/proc/${pid}/stat`, "utf8") : "";
  return !/\) [ZX] /.test(stat);
}
