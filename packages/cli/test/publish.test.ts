import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Envelope } from "@agentbus/core";
import { onlyJson, Sandbox, type Running } from "./support/sandbox.js";

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** The envelopes that a subscriber with --json has printed. */
function envelopesOf(subscriber: Running): Envelope[] {
  return (subscriber.json as { envelope: Envelope }[]).map(({ envelope }) => envelope);
}

test("publish prints the id on stdout, and on stderr who stores the message", async (context) => {
  const sandbox = Sandbox.make(context);
  const alone = await sandbox.run(["publish", "hello", '{"a":1}']);
  assert.equal(alone.code, 0);
  assert.match(alone.stdout.trimEnd(), ULID);
  assert.match(alone.stderr, /^nobody is subscribed to hello/);

  const subscriber = await sandbox.listen(["subscribe", "**"]);
  const heard = await sandbox.run(["publish", "hello", '{"a":1}']);
  assert.match(heard.stderr, /^stored by \w+~tmp-/);
  await subscriber.until(({ lines }) => lines.length === 1);
  assert.match(subscriber.stdout, /^\d\d:\d\d:\d\d\.\d{3} {2}hello +\w+ .*\{"a":1\}\n$/);
});

test("publish --json prints id, topic and subscriptions, and not a word on stderr", async (context) => {
  const sandbox = Sandbox.make(context);
  await sandbox.listen(["subscribe", "build.**", "--durable", "ci"]);
  const { stdout, stderr, code } = await sandbox.run(["publish", "build.done", "1", "--json"]);
  const result = onlyJson(stdout);
  const user = (await sandbox.subscriptions())[0]?.owner ?? "";
  assert.deepEqual(Object.keys(result), ["id", "topic", "subscriptions"]);
  assert.deepEqual({ ...result, id: "" }, { id: "", topic: "build.done", subscriptions: [`${user}~ci`] });
  assert.deepEqual({ stderr, code }, { stderr: "", code: 0 });
});

test("data comes from the argument, from a pipe, from a file or from -, and there may be none", async (context) => {
  const sandbox = Sandbox.make(context);
  const subscriber = await sandbox.listen(["subscribe", "**", "--json"]);
  await sandbox.run(["publish", "argument", "[1]"], { input: "not looked at" });
  await sandbox.run(["publish", "pipe"], { input: "[2]\n" });
  await sandbox.run(["publish", "dash", "-"], { input: " [3] " });
  await sandbox.run(["publish", "nothing"]);
  await sandbox.run(["publish", "empty"], { input: "" });
  await subscriber.until(({ lines }) => lines.length === 5);
  assert.deepEqual(
    envelopesOf(subscriber).map(({ topic, ...rest }) => [topic, Object.hasOwn(rest, "data") ? rest.data : "none"]),
    [
      ["argument", [1]],
      ["pipe", [2]],
      ["dash", [3]],
      ["nothing", "none"],
      ["empty", "none"],
    ],
  );
});

test("options become attributes of the envelope", async (context) => {
  const sandbox = Sandbox.make(context);
  const subscriber = await sandbox.listen(["subscribe", "**", "--json"]);
  const options = [
    "--type",
    "t",
    "--subject",
    "s",
    "--priority",
    "0",
    "--expires",
    "10m",
    "--correlation",
    "c",
    "--id",
    "i",
  ];
  await sandbox.run(["publish", "a", "1", ...options]);
  await sandbox.run(["publish", "text", "it's", "--text"]);
  await sandbox.run(["publish", "raw", "--raw"], { input: Buffer.from([0, 255, 10]) });
  await subscriber.until(({ lines }) => lines.length === 3);
  const [all, text, raw] = envelopesOf(subscriber) as [Envelope, Envelope, Envelope];
  const { type, subject, priority, expirytime, correlationid, id, time } = all;
  assert.deepEqual([type, subject, priority, correlationid, id], ["t", "s", 0, "c", "i"]);
  assert.equal(Date.parse(expirytime ?? "") - Date.parse(time), 600_000);
  assert.deepEqual([text.data, text.datacontenttype], ["it's", "text/plain"]);
  assert.deepEqual([raw.data_base64, raw.datacontenttype], ["AP8K", "application/octet-stream"]);
});

test("a direct message goes to one agent, with a topic if --to names the agent", async (context) => {
  const sandbox = Sandbox.make(context);
  const { user } = await sandbox.bus();
  for (const args of [
    [`@${user}`, "1"],
    ["--to", `@${user}`, "review.request", "2"],
    ["review.request", "3", "--to", user],
  ]) {
    const { code, stdout } = await sandbox.run(["publish", ...args, "--json"]);
    assert.deepEqual([code, onlyJson(stdout)["subscriptions"]], [0, [`${user}~inbox`]]);
  }
  const { stdout } = await sandbox.run(["subscribe", "@me", "--count", "3", "--json"]);
  const envelopes = stdout
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { envelope: Envelope }).envelope);
  assert.deepEqual(
    envelopes.map(({ to, topic, data }) => [to, topic, data]),
    [
      [`@${user}`, "direct", 1],
      [`@${user}`, "review.request", 2],
      [`@${user}`, "review.request", 3],
    ],
  );
});

test("--lines publishes each line of stdin, in order", async (context) => {
  const sandbox = Sandbox.make(context);
  const subscriber = await sandbox.listen(["subscribe", "n", "--json", "--count", "2001"]);
  // U+2028 ends a line to JavaScript, and may stand in a JSON string.
  const lines = [...Array.from({ length: 2_000 }, (_, n) => String(n)), '"a\u2028b"'];
  const { code, stdout } = await sandbox.run(["publish", "n", "--lines", "--json"], {
    input: `${lines.join("\r\n")}\n\n`,
  });
  assert.equal(code, 0);
  const ids = stdout
    .trimEnd()
    .split("\n")
    .map((line) => onlyJson(line)["id"]);
  await subscriber.ended;
  const envelopes = envelopesOf(subscriber);
  assert.deepEqual(
    envelopes.map(({ data }) => JSON.stringify(data)),
    lines,
  );
  assert.deepEqual(
    envelopes.map(({ id }) => id),
    ids,
  );
});

test("--lines stops at the first bad line and names it; what stood before it is published", async (context) => {
  const sandbox = Sandbox.make(context);
  const subscriber = await sandbox.listen(["subscribe", "n", "--json"]);
  const { code, stderr } = await sandbox.run(["publish", "n", "--lines"], { input: "1\n2\n{3}\n4\n" });
  assert.equal(code, 1);
  assert.match(stderr, /published 2 messages: stored by .*\nERR_ENVELOPE_INVALID: line 3 of stdin is not JSON/);
  await subscriber.until(({ lines }) => lines.length === 2);
  const large = `"${"x".repeat(5 * 1024 * 1024)}"`;
  const refused = await sandbox.run(["publish", "n", "--lines", "--json"], { input: `1\n${large}\n` });
  assert.equal((onlyJson(refused.stderr)["error"] as { code: string }).code, "ERR_TOO_LARGE");
});

test("what is not JSON is refused, and the error shows how to quote it", async (context) => {
  const sandbox = Sandbox.make(context);
  const cases: [string[], RegExp][] = [
    [["build.done", "{commit:1}"], /fix: agentbus publish build\.done '\{"commit":1\}' +\(single quotes/],
    [["hello", "world"], /fix: agentbus publish hello --text 'world'.*'"world"'/],
    [["hello", "it's"], /--text 'it'\\''s'/],
    [["hello", "{a:", "1}"], /too many arguments[^]+fix: put single quotes around the data/],
  ];
  for (const [args, expected] of cases) {
    const { code, stdout, stderr } = await sandbox.run(["publish", ...args]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, expected);
  }
  const piped = await sandbox.run(["publish", "hello"], { input: "world" });
  assert.equal(piped.code, 2);
  assert.match(piped.stderr, /^agentbus: what comes through stdin is not JSON/);
});

test("a bad option value is a usage error, never silently something else", async (context) => {
  const sandbox = Sandbox.make(context);
  const bad = [
    ["--priority", "ten"],
    ["--priority", "10"],
    ["--expires", "30"],
    ["--expires", "-1s"],
    ["--sync", "always"],
    ["--on-full", "panic"],
    ["--text", "--raw"],
    ["--lines"],
    ["--colour"],
  ];
  for (const options of bad) {
    const { code, stdout, stderr } = await sandbox.run(["publish", "hello", "1", ...options]);
    assert.deepEqual([code, stdout], [2, ""], options.join(" "));
    assert.match(stderr, /^agentbus: .+\n {2}fix: .+\n$|^agentbus: .+\n$/, options.join(" "));
  }
});

test("--mandatory fails when nobody is subscribed, with an error that programs can read", async (context) => {
  const sandbox = Sandbox.make(context);
  const words = await sandbox.run(["publish", "hello", "1", "--mandatory"]);
  assert.equal(words.code, 1);
  assert.match(words.stderr, /^ERR_NO_SUBSCRIPTION: cannot publish to hello: .+\n {2}fix: agentbus status/);
  const { code, stdout, stderr } = await sandbox.run(["publish", "hello", "1", "--mandatory", "--json"]);
  const { error } = onlyJson(stderr) as { error: Record<string, unknown> };
  assert.deepEqual([code, stdout, error["code"]], [1, "", "ERR_NO_SUBSCRIPTION"]);
  assert.equal(typeof error["message"], "string");
  assert.equal(typeof error["fix"], "string");
});

test("--receipt waits until everybody has acknowledged, and no longer than --timeout", async (context) => {
  const sandbox = Sandbox.make(context);
  await (await (await sandbox.bus()).subscribe("job", { durable: "jobs" })).close();
  const late = await sandbox.run(["publish", "job", "1", "--receipt", "--timeout", "50ms"]);
  assert.equal(late.code, 124);
  assert.match(late.stdout.trimEnd(), ULID);
  assert.match(late.stderr, /ERR_TIMEOUT: 1 of 1 subscriptions have not acknowledged/);

  const waiting = sandbox.start(["publish", "job", "2", "--receipt"]);
  await waiting.until(({ lines }) => lines.length === 1);
  await sandbox.run(["subscribe", "job", "--durable", "jobs", "--count", "2"]);
  const { code, stderr } = await waiting.ended;
  assert.equal(code, 0);
  assert.match(stderr, /acknowledged by all/);
  const outbox = join(sandbox.spool, "outbox");
  const names = fs.readdirSync(outbox, { recursive: true, encoding: "utf8" });
  assert.deepEqual(
    names.filter((name) => name.includes("/")),
    [],
  );
});

test("an unknown command or option is refused with the one that was probably meant", async (context) => {
  const sandbox = Sandbox.make(context);
  const command = await sandbox.run(["pubish", "hello"]);
  assert.equal(command.code, 2);
  assert.match(command.stderr, /unknown command 'pubish'\n {2}fix: Did you mean publish\?/);
  const option = await sandbox.run(["publish", "hello", "1", "--prioity", "1", "--json"]);
  assert.equal(option.code, 2);
  assert.deepEqual(onlyJson(option.stderr), {
    error: { code: "USAGE", message: "unknown option '--prioity'", fix: "Did you mean --priority?" },
  });
});

test("--spool and --group count before and after the command", async (context) => {
  const sandbox = Sandbox.make(context);
  const other = join(sandbox.dir, "other");
  await sandbox.run(["init", "--spool", other]);
  await sandbox.run(["--spool", other, "publish", "hello", "1"]);
  await sandbox.run(["publish", "hello", "1", "--spool", other]);
  assert.equal(fs.existsSync(sandbox.spool), false);
  const missing = await sandbox.run(["publish", "hello", "1", "--group", "nogroup", "--json"]);
  assert.equal(missing.code, 1);
  assert.equal((onlyJson(missing.stderr)["error"] as { code: string }).code, "ERR_SPOOL_NOT_FOUND");
  const both = await sandbox.run(["publish", "hello", "1", "--group", "a", "--spool", "b"]);
  assert.equal(both.code, 2);
});
