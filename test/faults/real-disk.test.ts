import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { isBusError, type Bus, type BusError, type Message } from "@agentbus/core";
import { publishTogether, UNSETTLED_PLACES, until } from "../support/personal-spool.js";
import { NEEDS_MOUNTS, TinyDisk } from "../support/tiny-disk.js";

describe("a disk that is full", { skip: NEEDS_MOUNTS }, () => {
  test("refuses publishes with a remedy, keeps and delivers what it took, and takes more when there is room", async (context) => {
    const disk = await TinyDisk.make(context);
    const bus = await disk.spool.bus();
    const { handled, begin } = await consume(bus, "ci");
    const accepted: string[] = [];
    let refused: BusError | undefined;
    for (let n = 0; refused === undefined; n++) {
      const id = `full-${n}`;
      refused = await refusalOf(bus.publish("work", "x".repeat(1_000 * (n % 4)), { id }));
      if (refused === undefined) accepted.push(id);
    }
    assert.ok(accepted.length > 20, `${accepted.length} were accepted`);
    assertIsFull(refused);
    assertNothingHalfVisible(disk, bus, "ci", accepted);
    // Neither does a subscription come about by halves.
    disk.fill();
    assertIsFull(await refusalOf(bus.subscribe("work", { durable: "late" })));
    const others = fs.readdirSync(join(disk.spool.path, "subscriptions")).filter((name) => !/~(inbox|ci)$/.test(name));
    assert.deepEqual(others, []);

    disk.makeRoom();
    begin();
    await until(() => handled.length === accepted.length);
    // A file that could grow stays for a moment, in cur/ and in the outbox.
    await until(() => disk.freeBytes > 100_000);
    const refusedId = `full-${accepted.length}`;
    await bus.publish("work", "again", { id: refusedId });
    await bus.publish("work", "more", { id: "more" });
    await until(() => handled.length === accepted.length + 2);
    assert.deepEqual(handled, [...accepted, refusedId, "more"]);
    await (await bus.subscribe("work", { durable: "late" })).close();
    await disk.spool.close();
    assertNoLeftovers(disk);
  });

  test("takes all of the messages that are to share a file, or none of them", async (context) => {
    const disk = await TinyDisk.make(context);
    const bus = await disk.spool.bus();
    const { handled, begin } = await consume(bus, "ci");
    disk.fill();
    const ids = ["a", "b", "c"];
    const refusals = await Promise.all(ids.map((id) => refusalOf(bus.publish("work", "x".repeat(3_000), { id }))));
    refusals.forEach(assertIsFull);
    assertNothingHalfVisible(disk, bus, "ci", []);
    disk.makeRoom();
    begin();
    await Promise.all(ids.map((id) => bus.publish("work", "x".repeat(3_000), { id })));
    await until(() => handled.length === 3);
    assert.deepEqual(handled, ids);
  });

  test("loses nothing that is acknowledged, put back or rejected meanwhile", async (context) => {
    const disk = await TinyDisk.make(context);
    const bus = await disk.spool.bus();
    const subscription = await bus.subscribe("work", { durable: "ci", backoff: { minMs: 1, maxMs: 1 } });
    const messages = subscription[Symbol.asyncIterator]();
    const next = async () => (await messages.next()).value as Message;
    // Each in a file of its own, which nothing is appended to.
    for (const id of ["ack", "nack", "reject"]) await bus.publish("work", id, { id, sync: "data" });
    const together = ["ack 2", "nack 2", "reject 2"];
    await publishTogether(bus, 3, (n) => bus.publish("work", together[n], { id: together[n] }));
    const taken = new Map<string, Message>();
    while (taken.size < 6) {
      const message = await next();
      taken.set(message.id, message);
    }
    disk.fill();

    await taken.get("ack")?.ack();
    disk.fill();
    await taken.get("ack 2")?.ack();
    await taken.get("nack")?.nack();
    assert.equal((await next()).id, "nack");
    // These need a file of their own.
    assertIsFull(await refusalOf(taken.get("nack 2")?.nack()));
    for (const id of ["reject", "reject 2"]) assertIsFull(await refusalOf(taken.get(id)?.reject("by the test")));
    assert.deepEqual(lettersOf(disk, bus), []);

    disk.makeRoom();
    await taken.get("nack 2")?.nack();
    for (const id of ["reject", "reject 2"]) await taken.get(id)?.reject("by the test");
    const again = await next();
    assert.deepEqual([again.id, again.attempt, again.data], ["nack 2", 2, "nack 2"]);
    assert.deepEqual(lettersOf(disk, bus), ["reject", "reject 2"]);
    assert.equal(subscription.stats.acked, 2);
    await disk.spool.close();
    assertNoLeftovers(disk);
  });

  test("is waited for when a handler has failed for the last time, and the message is a dead letter then", async (context) => {
    const disk = await TinyDisk.make(context);
    const bus = await disk.spool.bus();
    let attempts = 0;
    const options = { durable: "ci", maxAttempts: 1, onError: () => undefined };
    const subscription = await bus.subscribe("work", options, () => {
      attempts++;
      disk.fill();
      throw new Error("on purpose");
    });
    await bus.publish("work", "x", { id: "failing" });
    const warning = new Promise<Error>((resolve) => process.once("warning", resolve));
    assert.match((await warning).message, /cannot give up .*ENOSPC; trying again/);
    assert.equal(subscription.stats.rejected, 0);
    disk.makeRoom();
    await until(() => subscription.stats.rejected === 1);
    assert.deepEqual([attempts, lettersOf(disk, bus)], [1, ["failing"]]);
  });
});

describe("a disk without inodes", { skip: NEEDS_MOUNTS }, () => {
  test("refuses likewise, and what some subscriptions have is completed for the others by its id", async (context) => {
    const disk = await TinyDisk.make(context);
    const bus = await disk.spool.bus();
    const [a, b] = [await consume(bus, "a"), await consume(bus, "b")];
    await bus.publish("work", 0, { id: "before" });
    disk.fillInodes();
    assertIsFull(await refusalOf(bus.publish("work", 1, { id: "none" })));
    disk.makeInodes();
    // Room for the file and for one link to it: tmpfs counts each link.
    const fresh = await disk.spool.bus();
    disk.fillInodes(2);
    const partial = await refusalOf(fresh.publish("work", 2, { id: "half" }));
    assert.equal(partial?.code, "ERR_PARTIAL");
    assert.deepEqual(partial.details, { id: "half", stored: [`${bus.user}~a`], missing: [`${bus.user}~b`] });
    assert.match(partial.fix ?? "", /df -i.*publish again with \{ id: "half" \}/);
    assertNothingHalfVisible(disk, bus, "b", ["before"]);

    // Who acknowledges makes room, and goes on.
    a.begin();
    b.begin();
    await until(() => a.handled.length === 2 && b.handled.length === 1);
    disk.makeInodes();
    for (const id of ["none", "half", "after"]) await fresh.publish("work", 3, { id });
    await until(() => b.handled.length === 4);
    assert.deepEqual(a.handled, ["before", "half", "none", "after"]);
    assert.deepEqual(b.handled, ["before", "none", "half", "after"]);
    await disk.spool.close();
    assertNoLeftovers(disk);
  });
});

/** A consumer whose handler waits until it may begin; the first message is in work meanwhile. */
async function consume(bus: Bus, durable: string): Promise<{ handled: string[]; begin: () => void }> {
  const handled: string[] = [];
  let begin: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  await bus.subscribe("work", { durable }, async ({ id }) => {
    await begun;
    handled.push(id);
  });
  return { handled, begin };
}

async function refusalOf(action: Promise<unknown> | undefined): Promise<BusError | undefined> {
  try {
    await action;
    return undefined;
  } catch (error) {
    assert.ok(isBusError(error), `not a BusError but ${(error as Error).stack}`);
    return error;
  }
}

function assertIsFull(refusal: BusError | undefined): void {
  assert.equal(refusal?.code, "ERR_DISK_FULL", refusal?.message ?? "it was not refused");
  assert.match(refusal?.fix ?? "", /df -h and df -i/);
}

/** Each message is somewhere, whole and once, and nothing else is there. */
function assertNothingHalfVisible(disk: TinyDisk, bus: Bus, name: string, ids: readonly string[]): void {
  const dir = join(disk.spool.path, "subscriptions", `${bus.user}~${name}`);
  const files = UNSETTLED_PLACES.flatMap((part) =>
    fs.readdirSync(join(dir, part)).map((file) => join(dir, part, file)),
  );
  const texts = files.filter((path) => /\.jsonl?$/.test(path)).map((path) => fs.readFileSync(path, "utf8"));
  const found = texts.flatMap((text) =>
    text
      // What stands behind the last line's end of a stream is what did not fit.
      .slice(0, text.lastIndexOf("\n"))
      .split("\n")
      .map((line) => (JSON.parse(line) as { id: string }).id),
  );
  assert.deepEqual(found.sort(), [...ids].sort());
}

function lettersOf(disk: TinyDisk, bus: Bus): string[] {
  const dir = join(disk.spool.path, "subscriptions", `${bus.user}~ci`, "dead");
  const names = fs.readdirSync(dir);
  assert.deepEqual(
    names.filter((name) => name.startsWith(".")),
    [],
  );
  const read = (name: string) => JSON.parse(fs.readFileSync(join(dir, name), "utf8")) as { id: string };
  const letters = names.filter((name) => name.endsWith(".reason.json"));
  for (const letter of letters) assert.equal(read(letter.replace(".reason", "")).id, read(letter).id);
  return letters.map((name) => read(name).id).sort();
}

function assertNoLeftovers(disk: TinyDisk): void {
  const paths = fs.readdirSync(disk.spool.path, { recursive: true, encoding: "utf8" });
  assert.deepEqual(
    // The seals of streams stay for a minute.
    paths.filter((path) => !path.endsWith(".sealed") && (/(^|\/)\./.test(path) || /\/(new|cur)\/./.test(path))),
    [],
  );
}
