import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "@agentbus/core";
import { onlyJson, Sandbox, until } from "./support/sandbox.js";

async function receives(sandbox: Sandbox): Promise<boolean> {
  return (await inspect({ spool: sandbox.spool })).channels.some(
    ({ role, peer }) => role === "receiver" && peer === null,
  );
}

test("pipe send puts messages into a pipe, and pipe receive prints them with their verified sender", async (context) => {
  const sandbox = Sandbox.make(context);
  const { user, uid } = await sandbox.bus();
  const receiver = sandbox.start(["pipe", "receive", "--json", "--count", "4"]);
  await until(() => receives(sandbox));
  const one = await sandbox.run(["pipe", "send", `@${user}`, '{"n":1}', "--json", "--topic", "count.one"]);
  assert.deepEqual([one.code, one.stderr], [0, ""]);
  const lines = await sandbox.run(["pipe", "send", `@${user}`, "--lines"], { input: '2\n\n"three"\n[4]\n' });
  assert.deepEqual(lines, { code: 0, stdout: "", stderr: "" });
  const { code } = await receiver.ended;
  assert.equal(code, 0);
  const messages = receiver.json as { envelope: { id: string; topic: string; data: unknown }; sender: unknown }[];
  assert.deepEqual(
    messages.map(({ envelope }) => envelope.data),
    [{ n: 1 }, 2, "three", [4]],
  );
  assert.deepEqual([messages[0]?.envelope.topic, messages[0]?.envelope.id], ["count.one", onlyJson(one.stdout)["id"]]);
  for (const { sender } of messages) assert.deepEqual(sender, { user, uid });
});

test("while nobody receives, --fallback fail ends with 1 and a fix, spool says that it went there, and wait ends with --timeout", async (context) => {
  const sandbox = Sandbox.make(context);
  const { user } = await sandbox.bus();
  const failed = await sandbox.run(["pipe", "send", `@${user}`, "1", "--fallback", "fail"]);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /^ERR_NO_PEER: .*\n {2}fix: .*agentbus pipe receive/);
  const spooled = await sandbox.run(["pipe", "send", `@${user}`, "2", "--fallback", "spool", "--json"]);
  assert.equal(onlyJson(spooled.stdout)["by"], "spool");
  const waited = await sandbox.run(["pipe", "send", `@${user}`, "3", "--timeout", "200ms"]);
  assert.equal(waited.code, 124);
  const unknown = await sandbox.run(["pipe", "send", "@nobody-of-that-name", "4"]);
  assert.match(unknown.stderr, /^ERR_ADDRESS_UNKNOWN/);
  const inbox = await sandbox.run(["subscribe", "@me", "--count", "1", "--json"]);
  assert.equal((onlyJson(inbox.stdout)["envelope"] as { data: unknown }).data, 2);
});

test("status lists the open ends, and tail --channels tells of them", async (context) => {
  const sandbox = Sandbox.make(context);
  const { user } = await sandbox.bus();
  const tail = sandbox.start(["tail", "--channels", "--json", "--count", "3"]);
  const receiver = sandbox.start(["pipe", "receive"]);
  await until(() => receives(sandbox));
  await tail.until(({ lines }) => lines.length === 1);
  const status = await sandbox.run(["status"]);
  assert.match(status.stdout, new RegExp(`pipe +receiver +${user} ${receiver.child.pid} +- +0`));
  await sandbox.run(["pipe", "send", `@${user}`, "1"]);
  await receiver.until(({ lines }) => lines.length === 1);
  await tail.until(({ lines }) => lines.length === 2);
  receiver.signal("SIGINT");
  assert.equal((await receiver.ended).code, 130);
  assert.equal((await tail.ended).code, 0);
  const events = tail.json as { event: string; kind: string; role: string }[];
  assert.equal(events[0]?.event, "opened");
  assert.equal(events.at(-1)?.event === "closed" || events.at(-1)?.event === "carries", true);
});
