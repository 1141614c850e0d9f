import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import { until } from "../support/personal-spool.js";
import { publish as publishAs, Receiver } from "./receiver.js";

const NAME = "0-01JQ00000000000000000000A0-abcdefghijklmnopqrstuvwxyz";

/** A queue is for members who trust each other: any may take its messages. But none may do more than that through it. */
describe("a hostile member of a queue", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;
  let queues = 0;
  before(async () => {
    spool = await GroupSpool.make();
  });
  after(() => spool.end());

  /** A queue that alice made. @returns its name and its directory */
  async function makeQueue(): Promise<{ queue: string; dir: string }> {
    const queue = `queue-${++queues}`;
    await (await Receiver.open(spool.alice, spool.path, `${queue}.*`, { queue })).close();
    return { queue, dir: spool.at("queues", queue) };
  }

  const publish = (topic: string, data: unknown) => publishAs(spool.bob, spool.path, topic, data);

  /** A directory of alice's with files whose names look like a queue's. */
  async function treasure(): Promise<string> {
    const dir = spool.home(spool.alice, 0o755);
    await spool.alice.run(
      ({ fs: files }, path, name) => {
        for (const each of [
          "dear",
          `1~dead~token-1~${name}.json`,
          "x.progress",
          `0000000000000~1~${name}.json`,
          `${name}.json`,
        ]) {
          files.writeFileSync(`${path}/${each}`, "mine");
        }
      },
      dir,
      NAME,
    );
    return dir;
  }

  function assertIntact(dir: string): void {
    const names = fs.readdirSync(dir);
    assert.equal(names.length, 5, names.join());
    for (const name of names) assert.equal(fs.readFileSync(join(dir, name), "utf8"), "mine");
  }

  for (const part of ["new", "cur", "retry", "dead"]) {
    test(`who puts a link in the place of its ${part}/ makes no consumer write, move or remove anything behind it`, async () => {
      const { alice, mallory } = spool;
      const { queue, dir } = await makeQueue();
      const dear = await treasure();
      const options = { queue, backoff: { minMs: 10 }, maxAttempts: 2, behaviour: "fails" } as const;
      const worker = await spool.another(alice);
      const receiver = await Receiver.open(worker, spool.path, `${queue}.*`, options);
      await publish(`${queue}.one`, 1);
      await receiver.untilReceived(1);
      const swap = ({ fs: files }: { fs: typeof fs }, path: string, target: string) => {
        files.renameSync(path, `${path}.aside`);
        files.symlinkSync(target, path);
      };
      await mallory.run(swap, `${dir}/${part}`, dear);
      await publish(`${queue}.one`, 2);
      await worker.kill();
      const again = await spool.another(alice);
      const outcome = await Receiver.open(again, spool.path, `${queue}.*`, options).then(
        () => "open",
        (error: unknown) => (error as { code?: string }).code,
      );
      assert.equal(outcome, "ERR_IO");
      await again.kill();
      assertIntact(dear);
    });
  }

  test("cannot freeze a consumer with a FIFO in the place of its notes", async () => {
    const { alice, mallory } = spool;
    const { queue, dir } = await makeQueue();
    const worker = await spool.another(alice);
    const receiver = await Receiver.open(worker, spool.path, `${queue}.*`, { queue });
    // Whatever a claim is going to be called: mallory sees it, and is faster.
    const racer = await spool.another(mallory);
    await racer.run(
      ({ fs: files, spawnSync, envelope, post, messageName, keep }, path, me, box, topic) => {
        const cur = files.opendirSync(`${box}/cur`);
        void cur.close();
        keep["watcher"] = files.watch(`${box}/cur`, (_event, name) => {
          if (name !== null && !name.endsWith(".progress"))
            spawnSync("mkfifo", ["-m", "666", `${box}/cur/${name}.progress`]);
        });
        const line = () => JSON.stringify(envelope(me, topic));
        for (let i = 0; i < 20; i++) post(path, me, `${line()}\n`.repeat(50), `${box}/new/${messageName()}`);
      },
      spool.path,
      mallory.name,
      dir,
      `${queue}.junk`,
    );
    await publish(`${queue}.one`, "bob's");
    await until(async () => (await receiver.data()).includes("bob's"));
    assert.equal(await worker.run(() => "awake"), "awake");
    assert.deepEqual((await receiver.stats()).refused, { "invalid-envelope": 20 });
    await racer.kill();
    await worker.kill();
  });

  test("cannot keep the others from it by planting claims and retries that nobody can move", async () => {
    const { alice, mallory } = spool;
    const { queue, dir } = await makeQueue();
    await mallory.run(
      ({ fs: files, spawnSync }, box, name) => {
        const plant = (path: string) => {
          files.mkdirSync(path, { mode: 0o755 });
          files.writeFileSync(`${path}/filled`, "x");
        };
        plant(`${box}/cur/1~nobody~dead-1~${name}.json`);
        plant(`${box}/retry/0000000000000~1~${name}.json`);
        plant(`${box}/new/${name}.json`);
        plant(`${box}/cur/orphan.progress`);
        plant(`${box}/cur/1~nobody~dead-2~${name}.json.progress`);
        const claim = `${box}/cur/1~nobody~dead-3~${name}.json`;
        files.writeFileSync(claim, "{}\n{}\n");
        spawnSync("mkfifo", [`${claim}.progress`]);
      },
      dir,
      NAME,
    );
    const receiver = await Receiver.open(alice, spool.path, `${queue}.*`, { queue });
    for (const data of [1, 2, 3]) await publish(`${queue}.one`, data);
    await receiver.untilReceived(3);
    assert.deepEqual(await receiver.data(), [1, 2, 3]);
    await receiver.close();
  });

  test("cannot vouch for a sender: a private record in it is nobody's word", async () => {
    const { alice, bob, mallory } = spool;
    const { queue, dir } = await makeQueue();
    await mallory.run(
      ({ fs: files, envelope }, box, name, victim, uid) => {
        const record = { sender: { uid, user: victim }, envelope: envelope(victim, `${box.split("/").at(-1)}.one`) };
        const path = `${box}/retry/0000000000000~1~${name}.000000.own`;
        files.writeFileSync(path, JSON.stringify(record));
        files.chmodSync(path, 0o640);
      },
      dir,
      NAME,
      bob.name,
      bob.uid,
    );
    const receiver = await Receiver.open(alice, spool.path, `${queue}.*`, { queue });
    assert.deepEqual(await receiver.untilRefused(1), { "invalid-envelope": 1 });
    assert.deepEqual(await receiver.received(), []);
    await receiver.close();
  });
});
