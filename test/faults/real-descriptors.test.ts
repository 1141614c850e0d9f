import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Puppet, type PuppetError } from "../crash/puppet.js";
import { PersonalSpool, until } from "../support/personal-spool.js";

/** Enough for a process with a bus to start, and soon used up. */
const MAX_OPEN_FILES = 64;

test("a publisher without descriptors is refused, and works again when there are some", async (context) => {
  const stage = await Stage.make(context);
  const publisher = await stage.start();
  const consumer = await stage.start(1_024);
  await consumer.call("subscribe", "work", { durable: "ci" }, "ack");
  await publisher.call("publish", "work", -1);
  const accepted = [-1];
  assert.equal(await publisher.call("useUpDescriptors"), "EMFILE");
  let refusals = 0;
  for (let n = 0; refusals < 3; n++) {
    const refusal = await refusalOf(publisher.call("publish", "work", n));
    if (refusal === undefined) accepted.push(n);
    else assertIsOutOfFiles(refusal);
    refusals += refusal === undefined ? 0 : 1;
  }
  await publisher.call("freeDescriptors");
  await publisher.call("publish", "work", 1_000);
  accepted.push(1_000);
  await until(() => consumer.handled.length === accepted.length);
  assert.deepEqual(
    consumer.handled.map(({ data }) => data),
    accepted,
  );
});

for (const whose of ["its own", "another process's"]) {
  test(`a publisher without descriptors does not take a subscriber for dead: ${whose}`, async (context) => {
    const stage = await Stage.make(context);
    const publisher = await stage.start();
    const subscriber = whose === "its own" ? publisher : await stage.start();
    const name = await subscriber.call("subscribe", "work", {}, "ack");
    // Until it need not read the list of subscriptions again, for which it would be refused anyway.
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.deepEqual(await publisher.call("publish", "work", 1), [name]);
    await publisher.call("useUpDescriptors");
    // Longer than a publisher believes that somebody lives without looking again.
    for (const began = performance.now(); performance.now() - began < 2_000;) {
      const publishing = publisher.call("publish", "work", 2).then((stored) => assert.deepEqual(stored, [name]));
      const refusal = await refusalOf(publishing);
      if (refusal !== undefined) assertIsOutOfFiles(refusal);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await publisher.call("freeDescriptors");
    assert.deepEqual(await publisher.call("publish", "work", 3), [name]);
  });
}

test("a consumer without descriptors goes on when there are some: each message comes once, as its first attempt", async (context) => {
  const stage = await Stage.make(context);
  const consumer = await stage.start();
  await consumer.call("subscribe", "work", { durable: "ci", concurrency: 4 }, "ack");
  const bus = await stage.spool.bus();
  await bus.publish("work", 0);
  await until(() => consumer.handled.length === 1);
  await consumer.call("useUpDescriptors");
  for (let n = 1; n < 20; n++) await bus.publish("work", n);
  await Promise.all(Array.from({ length: 20 }, (_, n) => bus.publish("work", 20 + n)));
  // It has come upon them.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.equal(consumer.handled.length, 1);
  await consumer.call("freeDescriptors");
  await until(() => consumer.handled.length >= 40);
  await consumer.call("publish", "work", "still there");
  await until(() => consumer.handled.some(({ data }) => data === "still there"));
  const numbers = consumer.handled.map(({ data }) => data).filter((data) => typeof data === "number");
  assert.deepEqual(
    numbers.sort((a, b) => a - b),
    Array.from({ length: 40 }, (_, n) => n),
  );
  assert.ok(consumer.handled.every(({ attempt }) => attempt === 1));
});

test("who subscribes without descriptors is refused, and may try again", async (context) => {
  const stage = await Stage.make(context);
  const consumer = await stage.start();
  // What it needs is loaded by then.
  await consumer.call("subscribe", "other", {}, "ack");
  await consumer.call("useUpDescriptors");
  const refusal = await refusalOf(consumer.call("subscribe", "work", { durable: "ci" }, "ack"));
  assertIsOutOfFiles(refusal);
  await consumer.call("freeDescriptors");
  const name = await consumer.call("subscribe", "work", { durable: "ci" }, "ack");
  assert.deepEqual(await (await stage.spool.bus()).publish("work", 1).then(({ subscriptions }) => subscriptions), [
    name,
  ]);
  await until(() => consumer.handled.length === 1);
});

test("who subscribes for the first time without descriptors may try again, too", async (context) => {
  const stage = await Stage.make(context);
  // Otherwise the inbox would be made, and with it most of what a subscriber needs be loaded.
  await stage.spool.bus();
  // Enough to load all of its modules at once, which only bundles make few.
  const listener = await stage.start(256);
  await listener.call("useUpDescriptors");
  assertIsOutOfFiles(await refusalOf(listener.call("subscribe", "work", {}, "ack")));
  await listener.call("freeDescriptors");
  const name = await listener.call("subscribe", "work", {}, "ack");
  assert.deepEqual(await listener.call("publish", "work", 1), [name]);
});

/** A spool, and processes with few descriptors and a bus in it. */
class Stage {
  private constructor(
    readonly spool: PersonalSpool,
    private readonly context: TestContext,
    private readonly puppets: Puppet[],
  ) {}

  static async make(context: TestContext): Promise<Stage> {
    const puppets: Puppet[] = [];
    // Before the spool is removed, or they would put something into it once more.
    context.after(() => Promise.all(puppets.map((puppet) => puppet.kill())));
    return new Stage(await PersonalSpool.make(context), context, puppets);
  }

  async start(maxOpenFiles: number | undefined = MAX_OPEN_FILES): Promise<Puppet> {
    const puppet = await Puppet.start(this.context, this.spool.path, maxOpenFiles);
    this.puppets.push(puppet);
    await puppet.call("open");
    return puppet;
  }
}

async function refusalOf(action: Promise<unknown>): Promise<PuppetError | undefined> {
  try {
    await action;
    return undefined;
  } catch (error) {
    return error as PuppetError;
  }
}

function assertIsOutOfFiles(refusal: PuppetError | undefined): void {
  assert.equal(refusal?.code, "ERR_TOO_MANY_FILES", refusal?.message ?? "it was not refused");
  assert.match(refusal?.fix ?? "", /ulimit -n/);
}
