import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createBus } from "#core/open-bus.js";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import type { Tools } from "../support/person.js";
import { publish as publishAs, Receiver } from "./receiver.js";

describe("a publisher among hostile subscriptions", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;
  let receiver: Receiver;
  let expected: unknown[] = [];

  before(async () => {
    spool = await GroupSpool.make();
    receiver = await Receiver.open(spool.alice, spool.path, "work.*", { durable: "work" });
  });
  after(() => spool.end());

  /** Bob publishes, in a process that has seen nothing yet and in one that knows the subscriptions. */
  const publish = (data: unknown, options: object = {}, person = spool.bob) =>
    publishAs(person, spool.path, "work.done", data, options);

  /** Makes a subscription of mallory's that wants everything. @returns its directory */
  const makeHers = (name: string, record: object = {}) =>
    spool.mallory.run(
      ({ makeSubscription }, ...args) => makeSubscription(...args),
      spool.path,
      spool.mallory.name,
      name,
      record,
    );

  async function assertDelivered(data: unknown, stored: string[]): Promise<void> {
    assert.ok(stored.includes(`${spool.alice.name}~work`), stored.join());
    expected.push(data);
    await receiver.untilReceived(expected.length);
    assert.deepEqual(await receiver.data(), expected);
  }

  /** Removes what mallory made. */
  async function clear(): Promise<void> {
    spawnSync("sh", [
      "-c",
      `rm -rf "$0"/subscriptions/${spool.mallory.name}~[!i]* "$0"/subscriptions/.[!.]*`,
      spool.path,
    ]);
  }

  const records: Readonly<Record<string, (tools: Tools, dir: string) => unknown>> = {
    "a FIFO": ({ fs: files, spawnSync: spawn }, dir) => (
      files.unlinkSync(`${dir}/subscription.json`),
      spawn("mkfifo", ["-m", "644", `${dir}/subscription.json`])
    ),
    "a symbolic link": ({ fs: files }, dir) => (
      files.renameSync(`${dir}/subscription.json`, `${dir}/real.json`),
      files.symlinkSync("real.json", `${dir}/subscription.json`)
    ),
    "a symbolic link to a device": ({ fs: files }, dir) => (
      files.unlinkSync(`${dir}/subscription.json`),
      files.symlinkSync("/dev/zero", `${dir}/subscription.json`)
    ),
    "a directory": ({ fs: files }, dir) => (
      files.unlinkSync(`${dir}/subscription.json`),
      files.mkdirSync(`${dir}/subscription.json`)
    ),
    "a terabyte": ({ fs: files }, dir) => files.truncateSync(`${dir}/subscription.json`, 2 ** 40),
    unreadable: ({ fs: files }, dir) => files.chmodSync(`${dir}/subscription.json`, 0),
    empty: ({ fs: files }, dir) => files.truncateSync(`${dir}/subscription.json`, 0),
    "a million patterns": ({ fs: files }, dir) => {
      const patterns = Array.from({ length: 1_000_000 }, (_, i) => `work.${i}`);
      files.writeFileSync(`${dir}/subscription.json`, JSON.stringify({ layout: 1, kind: "durable", patterns }));
    },
    "nested without end": ({ fs: files }, dir) => files.writeFileSync(`${dir}/subscription.json`, "[".repeat(65_000)),
  };

  for (const [what, spoil] of Object.entries(records)) {
    test(`whose subscription.json is ${what}: it does not count, and the others get their messages`, async () => {
      const { bob, mallory } = spool;
      const fresh = await spool.another(bob);
      const dir = await makeHers("spoilt", {});
      await publish("warm up").then((stored) => assertDelivered("warm up", stored));
      await mallory.run(spoil, dir);
      for (const person of [fresh, bob]) {
        await mallory.run(
          ({ fs: files }, path) => (files.mkdirSync(path), files.rmdirSync(path)),
          spool.at("subscriptions", ".touch"),
        );
        const stored = await publish(what, {}, person);
        assert.deepEqual(stored, [`${spool.alice.name}~work`]);
        await assertDelivered(what, stored);
      }
      await fresh.kill();
      await clear();
    });
  }

  test("whose patterns are made to keep a matcher busy: every publish is as fast as ever", async () => {
    const patterns = Array.from({ length: 256 }, (_, i) => `${"*.".repeat(60)}x${i}.**`);
    await makeHers("slow", { patterns });
    const topic = `${"a.".repeat(99)}a`;
    const began = performance.now();
    await spool.bob.run(
      async ({ openedBus }, path, long) => void (await (await openedBus(path)).publish(long, 1)),
      spool.path,
      topic,
    );
    // Backtracking over these would take longer than the universe has existed; this is no measurement.
    assert.ok(performance.now() - began < 10_000);
    await publish("fast").then((stored) => assertDelivered("fast", stored));
    await clear();
  });

  test("who holds a lease on a subscription.json: nobody waits for it", async () => {
    const { bob, mallory } = spool;
    const dir = await makeHers("leased", {});
    await publish("before").then((stored) => assertDelivered("before", stored));
    await mallory.run(({ lease }, path) => lease(path), `${dir}/subscription.json`);
    const fresh = await spool.another(bob);
    for (const person of [fresh, bob]) {
      await mallory.run(
        ({ fs: files }, path) => (files.mkdirSync(path), files.rmdirSync(path)),
        spool.at("subscriptions", ".touch"),
      );
      await assertDelivered("leased", await publish("leased", {}, person));
    }
    await mallory.run(({ endLeases }) => endLeases());
    await fresh.kill();
    await clear();
  });

  test("who shuts a drop box: a publish is not an error for that", async () => {
    const { mallory } = spool;
    for (const mode of [0o3700, 0o3750, 0o3760, 0o000]) {
      const dir = await makeHers("shut", {});
      await publish("open").then((stored) => assertDelivered("open", stored));
      await mallory.run(({ fs: files }, path, wanted) => files.chmodSync(path, wanted), `${dir}/new`, mode);
      const stored = await publish("shut");
      assert.deepEqual(stored, [`${spool.alice.name}~work`]);
      await assertDelivered("shut", stored);
      await clear();
    }
  });

  test("who lets nothing but one message in: the others get theirs at once, and the error says who is full", async () => {
    const { alice, mallory } = spool;
    await makeHers("full", { maxBacklog: 1 });
    await publish("first").then((stored) => assertDelivered("first", stored));
    const failure = await spool.bob.failureOf(
      async ({ openedBus }, path) => (await openedBus(path)).publish("work.done", "second"),
      spool.path,
    );
    assert.equal(failure.code, "ERR_BACKLOG");
    assert.deepEqual(failure.details?.["stored"], [`${alice.name}~work`]);
    assert.deepEqual(failure.details?.["missing"], [`${mallory.name}~full`]);
    await assertDelivered("second", [`${alice.name}~work`]);
    await assertDelivered("third", await publish("third", { onFull: "drop" }));
    // Who chose to wait waits; whoever has room gets the message before that.
    const waiting = publish("fourth", { onFull: "wait", timeoutMs: 60_000 });
    await assertDelivered("fourth", [`${alice.name}~work`]);
    await assertDelivered("fifth", await publish("fifth", { onFull: "drop" }));
    await clear();
    assert.deepEqual(await waiting, [`${alice.name}~work`]);
  });

  test("who fills subscriptions/ with thousands of entries that are none", async () => {
    const { alice, bob, mallory } = spool;
    await mallory.run(
      ({ fs: files }, dir, me, other) => {
        for (let i = 0; i < 1_000; i++) {
          files.mkdirSync(`${dir}/${me}~empty-${i}`);
          files.writeFileSync(`${dir}/${me}~file-${i}`, "x");
          files.symlinkSync(`${other}~work`, `${dir}/${me}~link-${i}`);
          files.mkdirSync(`${dir}/${other}~squat-${i}`);
          files.mkdirSync(`${dir}/nonsense ${i}\n\u001b[2J`);
        }
      },
      spool.at("subscriptions"),
      mallory.name,
      bob.name,
    );
    const fresh = await spool.another(bob);
    for (const person of [fresh, bob]) {
      const stored = await publish("thousands", {}, person);
      assert.deepEqual(stored, [`${alice.name}~work`]);
      await assertDelivered("thousands", stored);
    }
    await fresh.kill();
    spawnSync("sh", ["-c", `rm -rf "$0"/*~squat-* "$0"/nonsense*`, spool.at("subscriptions")]);
    await clear();
  });

  test("who makes more subscriptions than a publisher can have files open: the others get their messages", async () => {
    const { bob, mallory } = spool;
    await mallory.run(
      ({ makeSubscription }, path, me) => {
        for (let i = 0; i < 300; i++) makeSubscription(path, me, `many-${i}`);
      },
      spool.path,
      mallory.name,
    );
    const modest = await spool.another(bob, 200);
    for (const data of ["many 1", "many 2"]) {
      const stored = await publish(data, {}, modest);
      assert.equal(stored.length, 301);
      await assertDelivered(data, stored);
    }
    await modest.kill();
    await clear();
  });

  test("who swaps the drop box, or the whole subscription, for a link while others publish: nothing lands behind the link", async () => {
    const { bob, mallory } = spool;
    const victims = { bob: spool.home(bob, 0o777), root: join(spool.scratchDir, "root") };
    fs.mkdirSync(victims.root, { mode: 0o777 });
    fs.chmodSync(victims.root, 0o777);
    // A directory like a subscription's of bob's own, so that nothing but the link itself is wrong with it.
    const lookalike = await bob.run(
      ({ makeSubscription }, path, me) => makeSubscription(path, me, "lookalike", { patterns: ["nothing"] }),
      spool.path,
      bob.name,
    );
    const racers = [];
    for (const [name, what, target] of [
      ["box-bob", "new", victims.bob],
      ["box-root", "new", victims.root],
      ["box-like", "new", `${lookalike}/new`],
      ["whole", "", lookalike],
    ] as const) {
      const dir = await makeHers(name, {});
      const racer = await spool.another(mallory);
      await racer.run(startSwapping, join(dir, what), target);
      racers.push(racer);
    }
    const root = await createBus({ spool: spool.path });
    for (let i = 0; i < 60; i++) {
      // What mallory's subscriptions make of it is mallory's affair; alice's must have it.
      const outcomes = await Promise.allSettled([publish(`race ${i}`), root.publish("work.done", `root's race ${i}`)]);
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") assert.fail(String(outcome.reason));
      }
      expected.push(`race ${i}`, `root's race ${i}`);
    }
    await root.close();
    const swaps = await Promise.all(racers.map((racer) => racer.run(({ keep }) => keep["swaps"] as number)));
    await Promise.all(racers.map((racer) => racer.kill()));
    assert.ok(Math.min(...swaps) > 50, swaps.join());
    await receiver.untilReceived(expected.length);
    assert.deepEqual((await receiver.data()).map(String).sort(), expected.map(String).sort());
    for (const dir of [victims.bob, victims.root, `${lookalike}/new`]) assert.deepEqual(fs.readdirSync(dir), []);
    fs.rmSync(lookalike, { recursive: true });
    await clear();
    expected = await receiver.data();
  });

  test("who is the neighbour of a publisher that is root: nothing of root's lands elsewhere", async () => {
    const { mallory } = spool;
    const target = join(spool.scratchDir, "cron.d");
    fs.mkdirSync(target);
    const dir = await makeHers("root", {});
    await mallory.run(
      ({ fs: files }, path, to) => (files.rmdirSync(`${path}/new`), files.symlinkSync(to, `${path}/new`)),
      dir,
      target,
    );
    const root = await createBus({ spool: spool.path });
    const { subscriptions } = await root.publish("work.done", "by root");
    await assertDelivered("by root", [...subscriptions]);
    await root.publish(`@${mallory.name}`, "direct");
    await root.close();
    assert.deepEqual(subscriptions, [`${spool.alice.name}~work`]);
    assert.deepEqual(fs.readdirSync(target), []);
    await clear();
  });
});

/** Puts a link to a directory in the place of another and back again, thousands of times a second. */
function startSwapping({ fs: files, keep }: Tools, path: string, target: string): void {
  let swaps = 0;
  const swap = () => {
    for (let i = 0; i < 20; i++) {
      files.renameSync(path, `${path}.aside`);
      files.symlinkSync(target, path);
      files.unlinkSync(path);
      files.renameSync(`${path}.aside`, path);
      swaps++;
    }
    keep["swaps"] = swaps;
    setImmediate(swap);
  };
  swap();
}
