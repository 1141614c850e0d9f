import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, describe, test } from "node:test";
import { deadLetters, diagnose, inspect } from "@agentbus/core";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import { until } from "../support/personal-spool.js";
import { publish, Receiver } from "./receiver.js";

/** Whatever is shown to a person may end on a terminal. */
function assertPrintable(value: unknown): void {
  // eslint-disable-next-line no-control-regex
  if (typeof value === "string") assert.doesNotMatch(value, /[\x00-\x1f\x7f-\x9f]/, JSON.stringify(value));
  else if (typeof value === "object" && value !== null) Object.entries(value).flat().forEach(assertPrintable);
}

describe("who looks at a spool that a neighbour has prepared", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;

  before(async () => {
    spool = await GroupSpool.make();
    const { alice, mallory } = spool;
    await (await Receiver.open(alice, spool.path, "work.*", { durable: "work" })).close();
    await mallory.run(
      ({ fs: files, spawnSync, makeSubscription, messageName, post, envelope, join }, path, me, victim) => {
        const evil = "\u001b]0;owned\u0007\u001b[2J\n";
        const record = (name: string) => {
          const dir = makeSubscription(path, me, name);
          files.unlinkSync(`${dir}/subscription.json`);
          return `${dir}/subscription.json`;
        };
        spawnSync("mkfifo", ["-m", "666", record("fifo")]);
        files.symlinkSync("/dev/zero", record("zero"));
        files.mkdirSync(record("directory"));
        files.writeFileSync(record("evil"), `{"kind":"${evil}"`);
        const sparse = record("sparse");
        files.writeFileSync(sparse, "");
        files.truncateSync(sparse, 2 ** 40);
        makeSubscription(path, me, "consumer", { kind: "ephemeral", consumer: { user: evil, token: "../..", pid: 1 } });
        const linked = makeSubscription(path, me, "linked");
        files.rmSync(`${linked}/new`, { recursive: true });
        files.symlinkSync("/", `${linked}/new`);
        files.mkdirSync(`${path}/subscriptions/${victim}~squatted`);
        files.mkdirSync(`${path}/subscriptions/${evil.replaceAll("/", "")}`);
        files.symlinkSync("/", `${path}/queues/linked`);
        spawnSync("mkfifo", ["-m", "666", `${path}/queues/fifo`]);
        files.mkdirSync(`${path}/run/nobody`);
        files.symlinkSync("/", `${path}/outbox/somebody`);
        for (const box of [`${path}/subscriptions/${victim}~work/new`, `${path}/subscriptions/${victim}~inbox/new`]) {
          spawnSync("mkfifo", ["-m", "666", join(box, messageName(0))]);
          files.symlinkSync("/dev/zero", join(box, messageName(0)));
          files.writeFileSync(join(box, evil.replaceAll("/", "")), "x");
          files.mkdirSync(join(box, messageName(0)));
          post(path, me, JSON.stringify({ ...envelope(me, "work.one"), [evil]: {} }), join(box, messageName()));
          post(path, me, JSON.stringify(envelope(me, "work.one", { subject: evil })), join(box, messageName()));
        }
      },
      spool.path,
      mallory.name,
      alice.name,
    );
  });
  after(() => spool.end());

  test("gets the status, whoever it is", async () => {
    const { alice, path } = spool;
    for (const labels of [
      await alice.run(
        async ({ inspect: look }, at) => (await look({ spool: at })).subscriptions.map(({ label }) => label),
        path,
      ),
      (await inspect({ spool: path })).subscriptions.map(({ label }) => label),
    ]) {
      assert.ok(labels.includes(`${alice.name}~work`), labels.join());
      assertPrintable(labels);
    }
  });

  test("gets the doctor's findings, whoever it is", async () => {
    const { alice, path, mallory } = spool;
    for (const findings of [
      await alice.run(({ diagnose: examine }, at) => examine({ spool: at }), path),
      await diagnose({ spool: path }),
    ]) {
      assertPrintable(findings);
      assert.ok(
        findings.some(({ message }) => message.includes("squatted") && message.includes(mallory.name)),
        JSON.stringify(findings, undefined, 1),
      );
    }
  });

  test("peeks into an inbox", async () => {
    const { alice, bob, path } = spool;
    await publish(bob, path, `@${alice.name}`, "for alice");
    const seen = await alice.run(async ({ openedBus }, at) => {
      const bus = await openedBus(at);
      const all: unknown[] = [];
      for await (const { data } of bus.peek()) {
        all.push(data);
        break;
      }
      return all;
    }, path);
    assert.deepEqual(seen, ["for alice"]);
  });

  test("lists, shows, retries and drops dead letters", async () => {
    const { alice, path } = spool;
    const receiver = await Receiver.open(alice, path, "work.*", { durable: "work" });
    await receiver.untilRefused(6);
    const outcome = await alice.run(async ({ deadLetters: open }, at) => {
      const office = await open({ spool: at });
      const letters = office.list();
      const opened = await office.open({ all: true });
      const { retried, failed } = await office.retry({ all: true });
      return {
        letters,
        opened: opened.length,
        retried: retried.length,
        failed: failed.map(({ error }) => error.message),
      };
    }, path);
    assert.equal(outcome.letters.length, 6);
    assert.equal(outcome.opened, 6);
    assertPrintable(outcome.letters);
    assertPrintable(outcome.failed);
    await until(async () => {
      await alice
        .run(async ({ deadLetters: open }, at) => void (await open({ spool: at })).drop({ all: true }), path)
        .catch(() => undefined);
      return fs.readdirSync(spool.of(alice, "work", "dead")).length === 0;
    });
    await receiver.close();
    // Root looks after queues and its own, and may do so here as well.
    assert.deepEqual((await deadLetters({ spool: path })).list(), []);
  });
});
