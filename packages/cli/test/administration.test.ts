import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { DeadLetter, SpoolStatus } from "@agentbus/core";
import { onlyJson, Sandbox } from "./support/sandbox.js";

test("status shows every subscription, for people as a table and for programs as one object", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  await (await bus.subscribe(["build.**", "deploy"], { durable: "ci" })).close();
  await bus.publish("deploy", 1);
  const { code, stdout } = await sandbox.run(["status"]);
  const [head, blank, titles, ci = "", inbox = ""] = stdout.split("\n");
  assert.equal(code, 0);
  assert.equal(head, `${sandbox.spool}, a personal spool; you are ${bus.user}`);
  assert.equal(blank, "");
  assert.deepEqual(titles?.split(/ {2,}/), [
    ...["SUBSCRIPTION", "KIND", "TAKES", "WAITING", "OLDEST", "IN WORK", "RETRIES", "DEAD", "CONSUMER"],
  ]);
  assert.match(ci, new RegExp(`^${bus.user}~ci +durable +build\\.\\*\\* deploy +1 +\\d+ \\w+ +0 +0 +0 +-$`));
  assert.match(inbox, new RegExp(`^${bus.user}~inbox +inbox +@${bus.user} +0 +- +0 +0 +0 +-$`));
  const json = await sandbox.run(["status", "--json"]);
  const { path, subscriptions } = onlyJson(json.stdout) as unknown as SpoolStatus;
  assert.deepEqual([path, subscriptions.map(({ backlog }) => backlog)], [sandbox.spool, [1, 0]]);
});

test("whoever looks at a bus for the first time can be written to from then on", async (context) => {
  const sandbox = Sandbox.make(context);
  const { stdout } = await sandbox.run(["status", "--json"]);
  const { user, subscriptions } = onlyJson(stdout) as unknown as SpoolStatus;
  assert.deepEqual(
    subscriptions.map(({ label }) => label),
    [`${user}~inbox`],
  );
  assert.equal((await sandbox.run(["publish", `@${user}`, "1"])).code, 0);
});

test("unsubscribe removes a durable subscription and says what went with it", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  for (const name of ["ci", `${bus.user}~ci`]) {
    await (await bus.subscribe("build.**", { durable: "ci" })).close();
    await bus.publish("build.done", 1);
    const { code, stderr } = await sandbox.run(["unsubscribe", name]);
    assert.deepEqual([code, stderr], [0, `removed ${bus.user}~ci, with 1 waiting and 0 dead messages\n`]);
  }
  const again = await sandbox.run(["unsubscribe", "ci", "--json"]);
  assert.equal(again.code, 1);
  assert.equal((onlyJson(again.stderr)["error"] as { code: string }).code, "ERR_NOT_FOUND");
  assert.equal((await sandbox.run(["unsubscribe", "inbox"])).code, 2);
});

test("dead letters are listed, shown, put back and dropped", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  const refused: string[] = [];
  const subscription = await bus.subscribe("job", { durable: "jobs" }, async (message) => {
    refused.push(message.id);
    await message.reject("no \x1b[31mway");
  });
  const ids = [await bus.publish("job", { n: 1 }), await bus.publish("job", { n: 2 })].map(({ id }) => id);
  while (refused.length < 2) await new Promise((resolve) => setImmediate(resolve));
  await subscription.drain();

  const table = (await sandbox.run(["dead", "ls"])).stdout.trimEnd().split("\n");
  assert.equal(table.length, 3);
  assert.match(
    table[1] ?? "",
    new RegExp(`^${ids[0]} +${bus.user}~jobs +job +${bus.user} .+ rejected: no \\\\u001b\\[31mway$`),
  );
  const list = (await sandbox.run(["dead", "ls", "--json"])).stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as DeadLetter);
  assert.deepEqual(
    list.map(({ id }) => id),
    ids,
  );

  const shown = await sandbox.run(["dead", "show", ids[0] ?? ""]);
  assert.match(shown.stdout, /^letter {8}5-.+\nsubscription .+\nreason {8}rejected: no .+\n[^]+"n": 1/);
  const json = onlyJson((await sandbox.run(["dead", "show", list[0]?.letter ?? "", "--json"])).stdout);
  assert.deepEqual((json["envelope"] as { data: unknown }).data, { n: 1 });

  const retried = await sandbox.run(["dead", "retry", ids[0] ?? ""]);
  assert.deepEqual([retried.code, retried.stderr], [0, "1 put back for delivery\n"]);
  const { stdout } = await sandbox.run(["subscribe", "job", "--durable", "jobs", "--count", "1", "--json"]);
  assert.equal((onlyJson(stdout)["envelope"] as { id: string }).id, ids[0]);

  const dropped = await sandbox.run(["dead", "drop", "--all", "--subscription", `${bus.user}~jobs`]);
  assert.deepEqual([dropped.code, dropped.stderr], [0, "1 dropped\n"]);
  const none = await sandbox.run(["dead", "ls"]);
  assert.deepEqual([none.stdout, none.stderr], ["", "there are no dead letters\n"]);
});

test("an unknown letter is an error, no name a usage error, and junk cannot be retried", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  const unknown = await sandbox.run(["dead", "show", "nope"]);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /^ERR_NOT_FOUND: .+\n {2}fix: agentbus dead ls/);
  assert.equal((await sandbox.run(["dead", "retry"])).code, 2);
  assert.equal((await sandbox.run(["dead", "drop", "x", "--all"])).code, 2);

  const subscription = await bus.subscribe("job", { durable: "jobs" });
  fs.writeFileSync(join(sandbox.spool, "subscriptions", `${bus.user}~jobs`, "new", "junk"), "junk");
  await bus.publish("job", 1);
  for await (const message of subscription) if (message.data === 1) break;
  const [letter] = (await sandbox.run(["dead", "ls", "--json"])).stdout
    .trimEnd()
    .split("\n")
    .map((line) => onlyJson(line)["letter"] as string);
  const junk = await sandbox.run(["dead", "retry", letter ?? ""]);
  assert.equal(junk.code, 1);
  assert.match(junk.stderr, /^0 put back.*\nERR_ENVELOPE_INVALID: cannot retry stray-/);
  const all = await sandbox.run(["dead", "retry", "--all"]);
  assert.equal(all.code, 0);
});

test("doctor tells good from bad, each finding with its remedy, and the exit code sums it up", async (context) => {
  const sandbox = Sandbox.make(context);
  await sandbox.bus();
  const healthy = await sandbox.run(["doctor"]);
  assert.equal(healthy.code, 0);
  assert.match(healthy.stdout, /^info +the spool is .+\n[^]*\n0 errors, \d+ warnings\n$/);
  fs.chmodSync(join(sandbox.spool, "spool.json"), 0o666);
  const sick = await sandbox.run(["doctor", "--json"]);
  assert.equal(sick.code, 1);
  const findings = sick.stdout.trimEnd().split("\n").map(onlyJson);
  const error = findings.find(({ severity }) => severity === "error");
  assert.match(String(error?.["fix"]), /^chmod go-w /);
});

test("what init is told to bar is an account and a kind of channel, of a group's spool", async (context) => {
  const sandbox = Sandbox.make(context);
  for (const bad of ["codebot", "codebot:spool", ":pipes", "a/b:sockets"]) {
    for (const option of ["--bar", "--unbar"]) {
      const { code, stdout, stderr } = await sandbox.run(["init", option, bad]);
      assert.deepEqual([code, stdout], [2, ""], bad);
      assert.match(stderr, /such as codebot:sockets or codebot:pipes/, bad);
    }
  }
  const personal = await sandbox.run(["init", "--bar", "codebot:pipes"]);
  assert.notEqual(personal.code, 0);
  assert.match(personal.stderr, /a personal spool has nobody to bar from anything/);
});

test("init makes a relay of an account, and takes that back", async (context) => {
  const sandbox = Sandbox.make(context);
  const relays = () =>
    (JSON.parse(fs.readFileSync(join(sandbox.spool, "spool.json"), "utf8")) as { relays: string[] }).relays;
  assert.equal((await sandbox.run(["init", "--relay", "root", "--relay", "nobody"])).code, 0);
  assert.deepEqual(relays(), ["root", "nobody"]);
  assert.match((await sandbox.run(["init", "--unrelay", "nobody"])).stderr, /spool.json has new limits, relays/);
  assert.deepEqual(relays(), ["root"]);
  const bad = await sandbox.run(["init", "--relay", "a b"]);
  assert.equal(bad.code, 2);
  assert.match(bad.stderr, /name of an account, such as bridge/);
});

test("init makes a spool once, and mends it when it is run again", async (context) => {
  const sandbox = Sandbox.make(context);
  const made = await sandbox.run(["init"]);
  assert.deepEqual([made.code, made.stdout], [0, `${sandbox.spool}\n`]);
  assert.match(made.stderr, /^made the personal spool; try: /);
  assert.match((await sandbox.run(["init"])).stderr, /was there and is as it should be/);
  fs.chmodSync(join(sandbox.spool, "outbox"), 0o755);
  const mended = await sandbox.run(["init", "--json"]);
  const { path, kind, created, changes } = onlyJson(mended.stdout);
  assert.deepEqual([path, kind, created, (changes as string[]).length], [sandbox.spool, "personal", false, 1]);
});
