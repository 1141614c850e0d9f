import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { onlyJson, Sandbox, until } from "./support/sandbox.js";

const FILE = "5-01JQ00000000000000000000A0-abcdefghijklmnopqrstuvwxyz.json";
/** Everything that a terminal could obey, but for the newline. */
// eslint-disable-next-line no-control-regex
const CONTROL = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

test("tail shows what passes and takes nothing from anybody", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  await (await bus.subscribe("build.**", { durable: "ci" })).close();
  const tail = await sandbox.listen(["tail"]);
  await bus.publish("build.done", { ok: true }, { subject: "main", type: "build" });
  await bus.publish("other", "text");
  await tail.until(({ lines }) => lines.length === 2);
  assert.match(
    tail.lines[0] ?? "",
    /^\d\d:\d\d:\d\d\.\d{3} {2}build\.done +\w+ +\d+ m?s {2}type build, about main {2}\{"ok":true\}$/,
  );
  assert.match(tail.lines[1] ?? "", / {2}other +\w+ +\d+ m?s {2}"text"$/);
  const ci = (await sandbox.subscriptions()).find(({ label }) => label.endsWith("~ci"));
  assert.equal(ci?.backlog, 1);
});

test("tail shows only the topics that it was asked for, and --json prints what subscribe prints", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  const tail = await sandbox.listen(["tail", "build.*", "deploy", "--json", "--count", "2"]);
  for (const topic of ["other", "build.done", "deploy"]) await bus.publish(topic, topic);
  assert.equal((await tail.ended).code, 0);
  const messages = tail.json as { envelope: { data: string } }[];
  assert.deepEqual(
    messages.map(({ envelope }) => envelope.data),
    ["build.done", "deploy"],
  );
  assert.deepEqual(Object.keys(messages[0] ?? {}), ["envelope", "sender", "subscription", "attempt"]);
  assert.equal(tail.stderr, "");
});

test("tail @me shows the inbox, what is in it and what comes, and leaves it to its consumer", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  await bus.publish(`@${bus.user}`, "first");
  const tail = sandbox.start(["tail", "@me", "--json"]);
  await tail.until(({ lines }) => lines.length === 1);
  await bus.publish(`@${bus.user}`, "second");
  await tail.until(({ lines }) => lines.length === 2);
  const { stdout } = await sandbox.run(["subscribe", "@me", "--count", "2", "--json"]);
  assert.deepEqual(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => onlyJson(line)["envelope"]),
    tail.json.map((line) => (line as { envelope: unknown }).envelope),
  );
});

test("what was refused is shown with its reason and with whose it is", async (context) => {
  const sandbox = Sandbox.make(context);
  const { user } = await sandbox.bus();
  const [words, json] = [await sandbox.listen(["tail"]), await sandbox.listen(["tail", "--json"])];
  for (const name of fs.readdirSync(join(sandbox.spool, "subscriptions")).filter((each) => each.includes("~tmp-"))) {
    // Whole at once, or the watcher may find it empty.
    fs.writeFileSync(join(sandbox.dir, "draft"), "{}\n");
    fs.renameSync(join(sandbox.dir, "draft"), join(sandbox.spool, "subscriptions", name, "new", FILE));
  }
  await until(() => words.lines.length === 1 && json.lines.length === 1);
  assert.match(words.stdout, new RegExp(`refused: invalid-envelope, from ${user}: `));
  const { refused } = onlyJson(json.stdout) as { refused: Record<string, unknown> };
  assert.deepEqual([refused["reason"], refused["file"]], ["invalid-envelope", FILE]);
});

test("nothing that somebody else wrote reaches the terminal as a command to it", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  const hostile = "\x1b]0;owned\x07\x1b[31mred\x9b2J\u202etxt\u2028\x7f\r";
  const commands = [["tail"], ["tail", "--json"], ["subscribe", "**"], ["subscribe", "**", "--json"]];
  const listening = await Promise.all(commands.map((args) => sandbox.listen(args)));
  await bus.publish("evil", { [hostile]: hostile }, { subject: "\u202eabc", extensions: { evil: hostile } });
  for (const name of fs.readdirSync(join(sandbox.spool, "subscriptions")).filter((each) => each.includes("~tmp-"))) {
    fs.writeFileSync(join(sandbox.spool, "subscriptions", name, "new", "\x1b[31mevil"), hostile);
  }
  for (const running of listening) {
    await running.until(
      ({ stdout, stderr }) =>
        stdout.includes("owned") && (stdout + stderr).includes("bad-name") === (running !== listening[3]),
    );
    assert.doesNotMatch(running.stdout + running.stderr, CONTROL);
  }
  const shown = (listening[1]?.json ?? []) as { envelope?: { data: unknown; evil: unknown } }[];
  const envelope = shown.find((each) => each.envelope !== undefined)?.envelope;
  assert.deepEqual(envelope?.data, { [hostile]: hostile });
  assert.equal(envelope.evil, hostile);

  await bus.respond("ask", () => {
    throw new Error(hostile);
  });
  const { stderr } = await sandbox.run(["request", "ask", "1"]);
  assert.match(stderr, /owned/);
  assert.doesNotMatch(stderr, CONTROL);
});

test("large data is cut for people, and whole for programs", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  const [words, json] = [await sandbox.listen(["tail"]), await sandbox.listen(["tail", "--json"])];
  await bus.publish("large", "x".repeat(100_000));
  await bus.publish("binary", new Uint8Array(1_000));
  await until(() => words.lines.length === 2 && json.lines.length === 2);
  assert.match(words.lines[0] ?? "", /x{500,}… \d+ more characters \(--json shows all\)$/);
  assert.match(words.lines[1] ?? "", /<1000 bytes of application\/octet-stream>$/);
  assert.ok((json.lines[0] ?? "").length > 100_000);
});

test("a reader that stops holds up nobody's publish, and a reader that goes away ends the tail quietly", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  const tail = await sandbox.listen(["tail", "--json"]);
  tail.child.stdout.pause();
  const text = "x".repeat(100_000);
  for (let n = 0; n < 200; n++) {
    const { receipt } = await bus.publish("n", text, { receipt: true });
    await receipt?.acked({ timeoutMs: 20_000 });
  }
  tail.child.stdout.resume();
  await tail.until(({ lines }) => lines.length > 0);
  tail.child.stdout.destroy();
  await until(async () => {
    await bus.publish("n", 1);
    return tail.hasEnded;
  });
  assert.equal((await tail.ended).code, 0);
  await bus.close();
  assert.deepEqual(sandbox.leftovers(), []);
});
