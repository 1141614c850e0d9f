import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, beforeEach, describe, test } from "node:test";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import type { Person, Tools } from "../support/person.js";
import { Receiver } from "./receiver.js";

/** What mallory puts in the place of somebody else's directory. */
const SQUATS: Readonly<Record<string, (tools: Tools, path: string, own: string) => unknown>> = {
  "a directory": ({ fs: files }, path) => (files.mkdirSync(path), files.chmodSync(path, 0o777)),
  // Right in everything but its owner.
  "a whole subscription": ({ fs: files }, path) => {
    const [user = "", name = ""] = (path.split("/").at(-1) ?? "").split("~");
    const common = { layout: 1, user, name, createdAt: new Date().toISOString() };
    const record =
      name === "inbox"
        ? { ...common, kind: "inbox", patterns: [], address: `@${user}` }
        : { ...common, kind: "durable", patterns: ["squat.*"] };
    for (const part of ["", "/new", "/cur", "/retry", "/dead", "/tally"]) {
      files.mkdirSync(path + part);
      files.chmodSync(path + part, 0o3777);
    }
    files.writeFileSync(`${path}/subscription.json`, JSON.stringify(record));
    files.chmodSync(`${path}/subscription.json`, 0o644);
  },
  "a file": ({ fs: files }, path) => files.writeFileSync(path, "x"),
  "a FIFO": ({ spawnSync }, path) => spawnSync("mkfifo", [path]),
  "a link to a directory of its own": ({ fs: files }, path, own) => files.symlinkSync(own, path),
  "a link to nowhere": ({ fs: files }, path) => files.symlinkSync("/nowhere", path),
};

/** What every member needs. */
const PLACES = ["subscriptions/<name>~inbox", "outbox/<name>", "run/<name>"] as const;

describe("a squatted name", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;
  /** A member who has not been here yet. */
  let dave: Person;
  let made = 0;

  before(async () => {
    spool = await GroupSpool.make();
    const name = `${spool.group}dave`;
    const { uid = -1, gid = -1 } = await spool.caretaker.ask({ do: "add user", name, groups: [spool.group] });
    dave = await spool.another({ name, uid, gid });
  });
  after(() => spool.end());
  beforeEach(() => {
    made++;
    for (const part of PLACES) fs.rmSync(placeOf(part), { recursive: true, force: true });
  });

  const placeOf = (part: string) => spool.at(part.replace("<name>", dave.name));

  /** Opens the bus, subscribes, and leaves. */
  async function visit({ createBus }: Tools, path: string): Promise<void> {
    const bus = await createBus({ spool: path });
    try {
      await bus.subscribe("x");
    } finally {
      await bus.close();
    }
  }

  for (const [what, squat] of Object.entries(SQUATS)) {
    test(`that is ${what}: of a subscription, it is refused, and the error says who did it and what helps`, async () => {
      const { alice, bob, mallory } = spool;
      const path = spool.of(alice, `squat-${made}`);
      await mallory.run(squat, path, spool.home(mallory));
      const failure = await alice.failureOf(
        async ({ openedBus }, at, name) => (await openedBus(at)).subscribe("squat.*", { durable: name }),
        spool.path,
        `squat-${made}`,
      );
      assert.equal(failure.code, "ERR_SQUATTED");
      assert.match(failure.message, new RegExp(`${path}: it belongs to ${mallory.name}, not to ${alice.name}`));
      assert.equal(failure.fix, `sudo rm -r ${path}`);
      assert.equal(failure.details?.["squatter"], mallory.name);
      const stored = await bob.run(
        async ({ openedBus }, at) => (await (await openedBus(at)).publish("squat.one", 1)).subscriptions,
        spool.path,
      );
      assert.deepEqual(stored, []);
    });

    for (const part of PLACES) {
      test(`that is ${what}: of ${part}, it keeps its victim out, with an error that says who did it`, async () => {
        const { bob, mallory } = spool;
        const path = placeOf(part);
        await mallory.run(squat, path, spool.home(mallory));
        const failure = await dave.failureOf(visit, spool.path);
        assert.equal(failure.code, "ERR_SQUATTED");
        assert.match(failure.message, new RegExp(`${path}: it belongs to ${mallory.name}, not to ${dave.name}`));
        assert.equal(failure.fix, `sudo rm -r ${path}`);
        if (!part.endsWith("inbox")) return;
        const refused = await bob.failureOf(
          async ({ openedBus }, at, to) => (await openedBus(at)).publish(to, "for dave's eyes"),
          spool.path,
          `@${dave.name}`,
        );
        assert.equal(refused.code, "ERR_SQUATTED");
        assert.match(refused.message, new RegExp(mallory.name));
        fs.rmSync(path, { recursive: true });
        await dave.run(visit, spool.path);
        const stored = await bob.run(
          async ({ openedBus }, at, to) => (await (await openedBus(at)).publish(to, "now")).subscriptions,
          spool.path,
          `@${dave.name}`,
        );
        assert.deepEqual(stored, [`${dave.name}~inbox`]);
      });
    }

    test(`that is ${what}: of a queue, it is an error and no queue`, async () => {
      const { alice, bob, mallory } = spool;
      const path = spool.at("queues", `squat-${made}`);
      await mallory.run(squat, path, spool.home(mallory));
      const failure = await alice.failureOf(
        async ({ openedBus }, at, name) => (await openedBus(at)).subscribe("squat.*", { queue: name }),
        spool.path,
        `squat-${made}`,
      );
      assert.match(failure.code ?? "", /^ERR_(?:SQUATTED|ACCESS)$/, failure.message);
      assert.match(failure.message, new RegExp(mallory.name));
      const stored = await bob.run(
        async ({ openedBus }, at) => (await (await openedBus(at)).publish("squat.one", 1)).subscriptions,
        spool.path,
      );
      assert.deepEqual(stored, []);
    });
  }

  test("does not help its squatter: who pretends to be an address gets none of its messages", async () => {
    const { alice, bob, mallory } = spool;
    // A directory of mallory's own whose record says that it is alice's inbox, and one that says alice's address.
    await mallory.run(
      ({ fs: files }, path, me, victim) => {
        const pretend = (name: string, record: object) => {
          const dir = `${path}/subscriptions/${me}~${name}`;
          for (const part of ["", "/new", "/cur", "/retry", "/dead"]) {
            files.mkdirSync(dir + part);
            files.chmodSync(dir + part, 0o777);
          }
          files.writeFileSync(
            `${dir}/subscription.json`,
            JSON.stringify({ layout: 1, createdAt: new Date().toISOString(), patterns: [], ...record }),
          );
          files.chmodSync(`${dir}/subscription.json`, 0o644);
        };
        pretend("one", { kind: "inbox", user: victim, name: "inbox", address: `@${victim}` });
        pretend("two", { kind: "inbox", user: me, name: "two", address: `@${victim}` });
        pretend("three", { kind: "reply", user: me, name: "three", address: `@${victim}`, consumer: {} });
      },
      spool.path,
      mallory.name,
      alice.name,
    );
    const receiver = await Receiver.open(alice, spool.path, `@${alice.name}`);
    const stored = await bob.run(
      async ({ openedBus }, path, to) => (await (await openedBus(path)).publish(to, 1)).subscriptions,
      spool.path,
      `@${alice.name}`,
    );
    assert.deepEqual(stored, [`${alice.name}~inbox`]);
    await receiver.untilReceived(1);
    for (const name of ["one", "two", "three"]) assert.deepEqual(fs.readdirSync(spool.of(mallory, name, "new")), []);
    // Nor does anybody hear of them.
    const { details } = await bob.failureOf(
      async ({ openedBus }, path) => (await openedBus(path)).publish("@nobody", 1),
      spool.path,
    );
    const known = details?.["known"] as string[];
    assert.equal(new Set(known).size, known.length, known.join());
    await receiver.close();
  });
});
