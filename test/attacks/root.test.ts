import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createBus } from "#core/open-bus.js";
import { createSpool } from "#core/create-spool.js";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import { until } from "../support/personal-spool.js";
import type { Tools } from "../support/person.js";

describe("root among hostile members", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;
  before(async () => {
    spool = await GroupSpool.make();
  });
  after(() => spool.end());

  test("makes no spool where a member could turn a name elsewhere under its hands", async () => {
    const { group, mallory } = spool;
    // A directory that a group shares, as /srv often is: root's, but its members may rename what is in it.
    const commons = join(spool.scratchDir, "commons");
    fs.mkdirSync(commons);
    fs.chownSync(commons, 0, fs.statSync(spool.path).gid);
    fs.chmodSync(commons, 0o2770);
    const target = join(spool.scratchDir, "etc");
    fs.mkdirSync(target, { mode: 0o700 });
    fs.mkdirSync(join(target, "run"), { mode: 0o700 });
    const racer = await spool.another(mallory);
    await racer.run(turnElsewhere, join(commons, "spool"), target);
    const outcomes = new Set<string>();
    for (let i = 0; i < 50; i++) {
      try {
        await createSpool({ spool: join(commons, "spool"), group, env: {} });
        outcomes.add("made");
      } catch (error) {
        outcomes.add((error as { code: string }).code);
      }
    }
    await racer.kill();
    assert.deepEqual([...outcomes], ["ERR_SPOOL_UNTRUSTED"]);
    for (const dir of [target, join(target, "run")]) {
      const { uid, gid, mode } = fs.statSync(dir);
      assert.deepEqual({ uid, gid, mode: mode & 0o7777 }, { uid: 0, gid: 0, mode: 0o700 });
    }
    assert.deepEqual(fs.readdirSync(target), ["run"]);
  });

  test("makes no spool of what a member has made, nor puts it right", async () => {
    const { group, mallory } = spool;
    const commons = join(spool.scratchDir, "open");
    fs.mkdirSync(commons);
    fs.chmodSync(commons, 0o1777);
    const path = join(commons, "spool");
    await mallory.run(({ fs: files }, at) => (files.mkdirSync(at), files.symlinkSync("/etc", `${at}/run`)), path);
    const failure = await createSpool({ spool: path, group, env: {} }).then(
      () => "made",
      (error: unknown) => error as { code: string; message: string },
    );
    assert.match(JSON.stringify(failure), /ERR_SPOOL_UNTRUSTED/);
    assert.equal(fs.lstatSync(path).uid, mallory.uid);
  });

  test("reads an inbox of its own: what it could move and read as root does not stop it", async () => {
    const { mallory, path } = spool;
    const bus = await createBus({ spool: path, rescanMs: 50 });
    const received: unknown[] = [];
    const subscription = await bus.subscribe("@root", (message) => received.push([message.data, message.sender.user]));
    await mallory.run(async ({ openedBus, fs: files, messageName, spawnSync: run }, at) => {
      const box = `${at}/subscriptions/root~inbox/new`;
      for (const mode of [0o000, 0o755, 0o777]) {
        const dir = `${box}/.${mode}`;
        files.mkdirSync(dir);
        files.writeFileSync(`${dir}/x`, "x");
        files.chmodSync(dir, mode);
        files.renameSync(dir, `${box}/${messageName(0)}`);
      }
      files.symlinkSync("/etc/shadow", `${box}/${messageName(0)}`);
      run("mkfifo", [`${box}/${messageName(0)}`]);
      await (await openedBus(at)).publish("@root", "hello");
    }, path);
    await until(() => received.length === 1 && Object.keys(subscription.stats.refused).length > 0);
    assert.deepEqual(received, [["hello", mallory.name]]);
    await until(() => subscription.stats.refused["not-a-file"] === 5);
    await bus.close();
  });

  test("removes its subscriptions, with what members left in them, and nothing behind a link", async () => {
    const { mallory, path } = spool;
    const dear = join(spool.scratchDir, "dear");
    fs.mkdirSync(dear);
    fs.writeFileSync(join(dear, "file"), "dear");
    const bus = await createBus({ spool: path });
    await bus.subscribe("root.*", { durable: "root" });
    await mallory.run(
      ({ fs: files }, box, target) => {
        files.symlinkSync(target, `${box}/link`);
        files.mkdirSync(`${box}/dir`);
        files.symlinkSync(target, `${box}/dir/link`);
      },
      spool.at("subscriptions/root~root/new"),
      dear,
    );
    await bus.close();
    const again = await createBus({ spool: path });
    await again.unsubscribe("root");
    await again.close();
    assert.equal(fs.existsSync(spool.at("subscriptions/root~root")), false);
    assert.deepEqual(fs.readdirSync(dear), ["file"]);
    spawnSync("sh", ["-c", 'rm -rf "$0"/subscriptions/.gone-*', path]);
  });
});

/** Makes a link of a name as soon as it is a directory. */
function turnElsewhere({ fs: files }: Tools, path: string, target: string): void {
  const turn = () => {
    for (let i = 0; i < 200; i++) {
      try {
        files.renameSync(path, `${path}.${process.hrtime.bigint()}`);
        files.symlinkSync(target, path);
        files.unlinkSync(path);
      } catch {
        // Not there yet.
      }
    }
    setImmediate(turn);
  };
  turn();
}
