import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Bus } from "#core/bus.js";
import { deadLetters } from "#core/dead-letters.js";
import type { DeadLetter } from "#core/settle/read-letters.js";
import type { Message } from "#core/subscribe/message.js";
import { refusalOf } from "../support/refusal.js";
import { TestSpool, until } from "../support/spool.js";

const ULID = "01JQ00000000000000000000A0";
const RANDOM = "abcdefghijklmnopqrstuvwxyz";

async function setUp(context: TestContext) {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus({ rescanMs: 3_600_000 });
  const office = await deadLetters({ spool: spool.path });
  const dir = `subscriptions/${bus.user}~jobs`;
  return { spool, bus, office, dir, label: `${bus.user}~jobs` };
}

/** Subscribes durably; what is in `refuses` is rejected. */
async function consume(bus: Bus, refuses: Set<unknown>): Promise<Message[]> {
  const taken: Message[] = [];
  await bus.subscribe("job.*", { durable: "jobs" }, async (message) => {
    taken.push(message);
    if (refuses.has(message.data)) await message.reject("not today");
  });
  return taken;
}

test("a dead letter says what happened, and shows the envelope", async (context) => {
  const { bus, office, label } = await setUp(context);
  await consume(bus, new Set(["bad"]));
  const { id } = await bus.publish("job.a", "bad");
  await until(() => office.list().length === 1);
  const [letter] = office.list() as [DeadLetter];
  const { at, bytes, file, letter: name, ...rest } = letter;
  assert.ok(Date.parse(at) <= Date.now() && bytes !== null && file.slice(0, 29) === name.slice(0, 29));
  assert.deepEqual(rest, {
    ...{ subscription: label, reason: "rejected", detail: "not today", attempts: 1, id, topic: "job.a" },
    ...{ sender: { uid: bus.uid, user: bus.user }, isRetriable: true },
  });
  for (const selection of [{ names: [name] }, { names: [id], subscription: label }, { all: true }]) {
    const [opened] = await office.open(selection);
    assert.equal((opened?.envelope as { data: unknown } | undefined)?.data, "bad");
  }
});

test("a retried letter is delivered at once, with its sender vouched for and all its attempts", async (context) => {
  const { spool, bus, office, dir } = await setUp(context);
  const refuses = new Set<unknown>(["bad"]);
  const taken = await consume(bus, refuses);
  const { id, receipt } = await bus.publish("job.a", "bad", { receipt: true });
  await until(() => office.list().length === 1);
  refuses.clear();
  const { retried, failed } = await office.retry({ names: [id] });
  assert.deepEqual([retried.length, failed.length], [1, 0]);
  // Nothing but the retry wakes the consumer: it looks by itself once an hour.
  await until(() => taken.length === 2);
  const again = taken[1] as Message;
  assert.deepEqual([again.id, again.attempt, again.sender], [id, 1, { uid: bus.uid, user: bus.user }]);
  await receipt?.acked({ timeoutMs: 10_000 });
  for (const part of ["new", "cur", "retry", "dead"]) assert.deepEqual(spool.names(dir, part), []);
});

test("a message that shared its file is retried from its copy, with the sender that was recorded", async (context) => {
  const { spool, bus, office, dir } = await setUp(context);
  await (await bus.subscribe("job.*", { durable: "jobs" })).close();
  // The first of a tick has a file of its own.
  await Promise.all([bus.publish("nobody.listens"), ...[1, "bad", 3].map((data) => bus.publish("job.a", data))]);
  assert.equal(spool.names(dir, "new").length, 1);
  const refuses = new Set<unknown>(["bad"]);
  const taken = await consume(bus, refuses);
  await until(() => office.list().length === 1);
  refuses.clear();
  await office.retry({ all: true });
  await until(() => taken.length === 4);
  const { data, attempt, sender } = taken[3] as Message;
  assert.deepEqual({ data, attempt, sender }, { data: "bad", attempt: 1, sender: { uid: bus.uid, user: bus.user } });
  await until(() => spool.names(dir, "cur").length === 0);
  for (const part of ["new", "retry", "dead"]) assert.deepEqual(spool.names(dir, part), []);
});

test("a letter that is refused again is a letter again, and nothing of it is lost", async (context) => {
  const { spool, bus, office, dir } = await setUp(context);
  const taken = await consume(bus, new Set(["bad"]));
  await bus.publish("job.a", "bad");
  for (const attempts of [1, 2, 3]) {
    await until(() => taken.length === attempts && office.list().length === 1);
    if (attempts < 3) await office.retry({ all: true });
  }
  assert.equal(spool.names(dir, "dead").length, 3);
});

test("what never was a message stays a dead letter, and the error says so", async (context) => {
  const { spool, bus, office, dir } = await setUp(context);
  await (await bus.subscribe("job.*", { durable: "jobs" })).close();
  const arrivals = join(spool.path, dir, "new");
  fs.writeFileSync(join(arrivals, "hello"), "hello");
  fs.writeFileSync(join(arrivals, `5-${ULID}-${RANDOM}.json`), "this is not JSON\n");
  fs.symlinkSync("/etc/passwd", join(arrivals, `6-${ULID}-${RANDOM}.json`));
  await consume(bus, new Set());
  await until(() => office.list().length === 3);
  assert.ok(office.list().every(({ isRetriable }) => !isRetriable));
  const { retried, failed } = await office.retry({ all: true });
  assert.deepEqual(retried, []);
  assert.deepEqual(Object.fromEntries(failed.map(({ letter, error }) => [letter.reason, error.code])), {
    "bad-name": "ERR_ENVELOPE_INVALID",
    "invalid-json": "ERR_ENVELOPE_INVALID",
    "not-a-file": "ERR_ENVELOPE_INVALID",
  });
  const letter = office.list().find(({ file }) => file === `5-${ULID}-${RANDOM}.json`);
  const [unreadable] = await office.open({ names: [letter?.letter ?? ""] });
  assert.equal(unreadable?.text, "this is not JSON\n");
  assert.equal(office.drop({ all: true }).length, 3);
  assert.deepEqual(spool.names(dir, "dead"), []);
});

test("dropping takes the named letters and no others", async (context) => {
  const { bus, office } = await setUp(context);
  await consume(bus, new Set([1, 2]));
  const { id } = await bus.publish("job.a", 1);
  await bus.publish("job.a", 2);
  await until(() => office.list().length === 2);
  assert.deepEqual(
    office.drop({ names: [id] }).map((letter) => letter.id),
    [id],
  );
  assert.equal(office.list().length, 1);
});

test("a letter of a queue is retried by any consumer of it", async (context) => {
  const { bus, office } = await setUp(context);
  const attempts: number[] = [];
  await bus.subscribe("task", { queue: "work" }, async (message) => {
    attempts.push(message.attempt);
    if (attempts.length === 1) await message.reject("no");
  });
  await bus.publish("task", 1);
  await until(() => office.list("queue:work").length === 1);
  assert.deepEqual(office.list()[0]?.sender, { uid: bus.uid, user: bus.user });
  await office.retry({ all: true, subscription: "queue:work" });
  await until(() => attempts.length === 2);
  assert.deepEqual(office.list(), []);
});

test("an unknown letter or subscription is refused before anything is done", async (context) => {
  const { bus, office, label } = await setUp(context);
  await consume(bus, new Set([1]));
  const { id } = await bus.publish("job.a", 1);
  await until(() => office.list().length === 1);
  assert.equal((await refusalOf(office.retry({ names: [id, "nope"] }))).code, "ERR_NOT_FOUND");
  assert.equal((await refusalOf(office.retry({ all: true, subscription: "queue:none" }))).code, "ERR_NOT_FOUND");
  assert.equal(
    (await refusalOf(office.open({ names: [id], subscription: `${bus.user}~inbox` }))).code,
    "ERR_NOT_FOUND",
  );
  assert.equal(office.list(label).length, 1);
  await assert.rejects(office.retry({}), TypeError);
  await assert.rejects(office.retry({ all: true, names: [id] }), TypeError);
});
