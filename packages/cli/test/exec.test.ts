import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Envelope } from "@agentbus/core";
import { onlyJson, Sandbox } from "./support/sandbox.js";

test("--exec gives the command the envelope on stdin and what it needs to know in its environment", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  const vars = ["ID", "TOPIC", "SENDER", "SENDER_UID", "SUBSCRIPTION", "ATTEMPT", "SPOOL"];
  const command = `cat; echo ${vars.map((name) => `$AGENTBUS_${name}`).join(" ")}`;
  const subscriber = await sandbox.listen(["subscribe", "job", "--exec", command, "--count", "1"]);
  const { id } = await bus.publish("job", { n: 1 });
  const { code, stdout } = await subscriber.ended;
  const [envelope = "", facts = ""] = stdout.split("\n");
  assert.equal(code, 0);
  assert.deepEqual((onlyJson(envelope) as unknown as Envelope).data, { n: 1 });
  const [first, topic, sender, uid, subscription = "", ...rest] = facts.split(" ");
  assert.deepEqual([first, topic, sender, uid], [id, "job", bus.user, String(bus.uid)]);
  assert.match(subscription, /~tmp-/);
  assert.deepEqual(rest, ["1", sandbox.spool]);
});

test("exit 0 acknowledges; any other end puts the message back, and after --max-attempts it is a dead letter", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  const log = join(sandbox.dir, "log");
  const subscriber = await sandbox.listen([
    ...["subscribe", "job", "--durable", "jobs", "--max-attempts", "2", "--count", "2"],
    ...["--exec", `read line; case "$line" in *fine*) exit 0;; esac; echo $AGENTBUS_ATTEMPT >> ${log}; exit 3`],
  ]);
  await bus.publish("job", "fine");
  const { id } = await bus.publish("job", "bad");
  const { code, stderr } = await subscriber.ended;
  assert.equal(code, 0);
  assert.equal(fs.readFileSync(log, "utf8"), "1\n2\n");
  assert.match(stderr, new RegExp(`job ${id}: exit 3 \\(attempt 1 of 2\\)`));
  const { stdout } = await sandbox.run(["dead", "ls", "--json"]);
  const { reason, detail, attempts } = onlyJson(stdout);
  assert.deepEqual([reason, attempts], ["max-attempts", 2]);
  assert.match(String(detail), /exit 3/);
});

test("what a command publishes follows from its message, so agents that answer each other are stopped", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  await sandbox.run(["init"]);
  const hops: unknown[] = [];
  const causes: unknown[] = [];
  await bus.subscribe(
    "ping",
    ({ envelope }) => void (hops.push(envelope.hops ?? 0), causes.push(envelope.causationid)),
  );
  const loop = await sandbox.listen([
    "subscribe",
    "ping",
    "--exec",
    "agentbus publish ping 1 --json",
    "--max-attempts",
    "1",
  ]);
  const { id } = await bus.publish("ping", 1);
  await loop.until(({ stderr }) => stderr.includes("ERR_HOPS"));
  assert.deepEqual(
    hops,
    Array.from({ length: 17 }, (_, n) => n),
  );
  assert.equal(causes[1], id);
});

test("--concurrency runs so many commands at a time", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  // Each command waits until three of them are there.
  const meeting = join(sandbox.dir, "meeting");
  fs.mkdirSync(meeting);
  const command = `touch ${meeting}/$AGENTBUS_ID; while [ $(ls ${meeting} | wc -l) -lt 3 ]; do sleep 0.02; done`;
  const subscriber = await sandbox.listen([
    "subscribe",
    "job",
    "--exec",
    command,
    "--concurrency",
    "3",
    "--count",
    "3",
  ]);
  for (let n = 0; n < 3; n++) await bus.publish("job", n);
  assert.equal((await subscriber.ended).code, 0);
});

test("a command that does not read its stdin harms nobody, however large the message", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  const subscriber = await sandbox.listen(["subscribe", "job", "--exec", "exit 0", "--count", "1"]);
  await bus.publish("job", "x".repeat(1_000_000));
  const { code, stderr } = await subscriber.ended;
  assert.equal(code, 0);
  assert.doesNotMatch(stderr, /EPIPE/);
});

test("respond answers with the command's output: JSON if it is JSON, else text", async (context) => {
  const sandbox = Sandbox.make(context);
  await sandbox.bus();
  const answers: [string, string][] = [
    [`printf '{"sum": 3}\\n'`, '{"sum":3}'],
    ["echo hello there", '"hello there"'],
    ["true", "null"],
    ['echo "$AGENTBUS_TOPIC of $AGENTBUS_SENDER" | tr a-z A-Z', `"ASK OF ${(await sandbox.bus()).user.toUpperCase()}"`],
  ];
  for (const [command, expected] of answers) {
    const responder = await sandbox.listen(["respond", "ask", "--exec", command, "--count", "1"]);
    const { code, stdout } = await sandbox.run(["request", "ask", '{"a":1}']);
    assert.deepEqual([code, stdout], [0, `${expected}\n`]);
    assert.equal((await responder.ended).code, 0);
  }
});

test("a responder's failure is told to whoever asked, with the last line of its stderr", async (context) => {
  const sandbox = Sandbox.make(context);
  await sandbox.bus();
  const command = "echo first >&2; printf 'no such \\033[31mthing\\n' >&2; exit 7";
  await sandbox.listen(["respond", "ask", "--exec", command]);
  const { code, stdout, stderr } = await sandbox.run(["request", "ask", "1"]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /^ERR_RESPONDER: .+ could not answer ask: exit 7: no such \\u001b\[31mthing\n/);
});

test("request prints the answer with its sender, times out with 124, and fails at once when nobody listens", async (context) => {
  const sandbox = Sandbox.make(context);
  const bus = await sandbox.bus();
  await bus.respond(`@${bus.user}`, ({ data, topic }) => ({ data, topic }));
  const { stdout } = await sandbox.run(["request", `@${bus.user}`, "7", "--topic", "what", "--json"]);
  const { envelope, sender, ...rest } = onlyJson(stdout) as { envelope: Envelope; sender: unknown };
  assert.deepEqual([envelope.data, sender, rest], [{ data: 7, topic: "what" }, { user: bus.user, uid: bus.uid }, {}]);

  const nobody = await sandbox.run(["request", "ask", "1"]);
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /^ERR_NO_SUBSCRIPTION/);

  await bus.subscribe("silence", () => {});
  const late = await sandbox.run(["request", "silence", "1", "--timeout", "50ms"]);
  assert.equal(late.code, 124);
  assert.match(late.stderr, /^ERR_TIMEOUT/);
});
