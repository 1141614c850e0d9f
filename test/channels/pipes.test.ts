import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, beforeEach, describe, test } from "node:test";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import type { Person } from "../support/person.js";
import { until } from "../support/personal-spool.js";

interface Got {
  readonly data: unknown;
  readonly user: string;
  readonly uid: number;
}

/** What somebody's receiving end has brought so far. */
async function got(person: Person): Promise<Got[]> {
  return person.run(({ keep }) => keep["got"] as Got[]);
}

async function refused(person: Person): Promise<Record<string, number>> {
  return person.run(({ keep }) => (keep["pipes"] as { stats: { refused: Record<string, number> } }).stats.refused);
}

async function receive(person: Person, spool: string): Promise<void> {
  await person.run(async ({ keep, openedBus }, path) => {
    const list: unknown[] = [];
    keep["got"] = list;
    const bus = await openedBus(path);
    keep["pipes"] = await bus.pipes({ onRefused: () => undefined }, ({ data, sender }) => {
      list.push({ data, user: sender.user, uid: sender.uid });
    });
  }, spool);
}

async function stop(person: Person): Promise<void> {
  await person.run(({ keep }) => (keep["pipes"] as { close(): Promise<void> } | undefined)?.close());
}

async function send(person: Person, spool: string, to: string, ...data: unknown[]): Promise<void> {
  await person.run(
    async ({ openedBus }, path, address, all) => {
      const pipe = await (await openedBus(path)).pipe(address);
      for (const each of all) await pipe.send(each);
      await pipe.drain();
    },
    spool,
    `@${to}`,
    data,
  );
}

describe("pipes between accounts of a group, with the kernel's protections strict", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;
  before(async () => {
    spool = await GroupSpool.make();
  });
  after(() => spool.end());
  beforeEach(async () => {
    await stop(spool.bob);
    await receive(spool.bob, spool.path);
  });

  test("members talk, and each message has the account on it that sent it", async () => {
    const { alice, mallory, bob, path } = spool;
    await send(alice, path, bob.name, "from alice", { size: "p".repeat(200_000) });
    await send(mallory, path, bob.name, "from mallory");
    await until(async () => (await got(bob)).length === 3);
    const all = await got(bob);
    assert.deepEqual(
      all.map(({ user, uid }) => [user, uid]),
      [alice, alice, mallory].map(({ name, uid }) => [name, uid]),
    );
    assert.deepEqual(fs.readdirSync(spool.at("pipes", bob.name)), []);
  });

  test("an account outside of the group can neither make a pipe nor see one, nor be reached", async () => {
    const { oscar, alice, bob, path } = spool;
    const failure = await oscar.failureOf(async ({ openedBus }, at) => void (await openedBus(at)), path);
    assert.equal(failure.code, "ERR_ACCESS");
    const attempts = await oscar.run(
      ({ fs: files, spawnSync, attempt }, box) => [
        attempt(() => files.readdirSync(box)),
        attempt(() => files.lstatSync(`${box}/${"a".repeat(26)}.pipe`)),
        spawnSync("mkfifo", ["-m", "0666", `${box}/${"a".repeat(26)}.pipe`]).status === 0 ? "allowed" : "EACCES",
        attempt(() => files.readdirSync(`${box}/..`)),
      ],
      spool.at("pipes", bob.name),
    );
    assert.deepEqual(attempts, ["EACCES", "EACCES", "EACCES", "EACCES"]);
    const toOscar = await alice.failureOf(
      async ({ openedBus }, at, address) => {
        const pipe = await (await openedBus(at)).pipe(address, { fallback: "fail" });
        await pipe.send("nobody there");
      },
      path,
      `@${oscar.name}`,
    );
    assert.equal(toOscar.code, "ERR_NO_PEER");
  });

  test("a member can neither find, write, rename, link nor remove the pipe between two others", async () => {
    const { alice, mallory, bob, path } = spool;
    await stop(bob);
    // It lies in the drop box until somebody receives.
    await alice.run(
      async ({ keep, openedBus }, at, address) => {
        const pipe = await (await openedBus(at)).pipe(address);
        keep["sending"] = pipe.send("private");
      },
      path,
      `@${bob.name}`,
    );
    const box = spool.at("pipes", bob.name);
    await until(() => fs.readdirSync(box).length === 1);
    const [name = ""] = fs.readdirSync(box);
    assert.equal((fs.statSync(`${box}/${name}`).mode & 0o7777).toString(8), "640");
    assert.match(name, /^[a-z2-7]{26}\.pipe$/);
    const attempts = await mallory.run(
      ({ fs: files, attempt }, dir, known, own) => [
        attempt(() => files.readdirSync(dir)),
        attempt(() => files.openSync(`${dir}/${known}`, files.constants.O_WRONLY | files.constants.O_NONBLOCK)),
        attempt(() => files.openSync(`${dir}/${known}`, files.constants.O_RDWR | files.constants.O_NONBLOCK)),
        attempt(() => files.unlinkSync(`${dir}/${known}`)),
        attempt(() => files.renameSync(`${dir}/${known}`, `${own}/${known}`)),
        attempt(() => files.linkSync(`${dir}/${known}`, `${own}/${known}`)),
        attempt(() => files.chmodSync(`${dir}/${known}`, 0o666)),
      ],
      box,
      name,
      spool.at("outbox", mallory.name),
    );
    // Even with the name, which only root could tell.
    assert.deepEqual(attempts, ["EACCES", "EACCES", "EACCES", "EPERM", "EPERM", "EPERM", "EPERM"]);
    await receive(bob, path);
    await until(async () => (await got(bob)).length === 1);
    await alice.run(({ keep }) => keep["sending"] as Promise<unknown>);
    assert.deepEqual(await got(bob), [{ data: "private", user: alice.name, uid: alice.uid }]);
  });

  test("nobody speaks under another's name: not in an envelope, and not through a pipe that others can write to", async () => {
    const { alice, mallory, bob } = spool;
    await mallory.run(
      ({ fs: files, spawnSync, envelope }, box, other, to, own) => {
        const put = (name: string, mode: string) => {
          // Elsewhere first, as senders do: in the drop box it is taken at once.
          spawnSync("mkfifo", ["-m", mode, `${own}/.pipe`]);
          const fd = files.openSync(`${own}/.pipe`, files.constants.O_RDWR | files.constants.O_NONBLOCK);
          files.writeSync(fd, `${JSON.stringify(envelope(other, "direct", { to: `@${to}`, data: "forged" }))}\n`);
          files.renameSync(`${own}/.pipe`, `${box}/${name}.pipe`);
        };
        put("m".repeat(26), "0640");
        try {
          put("n".repeat(26), "0666");
        } catch (error) {
          // Refused and removed before it could be opened.
          if ((error as { code?: string }).code !== "ENOENT") throw error;
        }
      },
      spool.at("pipes", bob.name),
      alice.name,
      bob.name,
      spool.at("outbox", mallory.name),
    );
    await until(async () => ((await refused(bob))["forged-source"] ?? 0) >= 2);
    assert.deepEqual(await got(bob), []);
  });

  test("a receiver who passes a pipe on to somebody else gives away nothing: it was not addressed there", async () => {
    const { alice, mallory, bob, path } = spool;
    await stop(bob);
    await receive(mallory, path);
    await alice.run(
      async ({ keep, openedBus }, at, address) => {
        const pipe = await (await openedBus(at)).pipe(address);
        keep["sending"] = pipe.send("for bob alone");
      },
      path,
      `@${bob.name}`,
    );
    const box = spool.at("pipes", bob.name);
    await until(() => fs.readdirSync(box).length === 1);
    const [name = ""] = fs.readdirSync(box);
    await bob.run(
      ({ fs: files }, from, to) => files.renameSync(from, to),
      `${box}/${name}`,
      `${spool.at("pipes", mallory.name)}/${name}`,
    );
    await until(async () => (await refused(mallory))["not-for-this-subscription"] === 1);
    assert.deepEqual(await got(mallory), []);
    await stop(mallory);
    await alice.run(({ keep }) => keep["sending"] as Promise<unknown>);
  });

  test("who fills the drop box with silent pipes, junk and floods stalls nobody but itself", async () => {
    const { alice, mallory, bob, path } = spool;
    await mallory.run(
      ({ fs: files, spawnSync, keep }, box, own) => {
        const fds: number[] = [];
        // Elsewhere first: in the drop box they are taken at once.
        const fifo = `${own}/.pipe`;
        for (let i = 0; i < 40; i++) {
          spawnSync("mkfifo", ["-m", "0640", fifo]);
          // Some have a writer who says nothing, some have none.
          if (i % 2 === 0) fds.push(files.openSync(fifo, files.constants.O_RDWR | files.constants.O_NONBLOCK));
          files.renameSync(fifo, `${box}/${String(i).padStart(26, "s")}.pipe`);
        }
        for (let i = 0; i < 200; i++) files.symlinkSync("/dev/zero", `${box}/${String(i).padStart(26, "l")}.pipe`);
        // An empty directory would be removed at once, so it comes with something in it.
        files.mkdirSync(`${own}/.full`);
        files.writeFileSync(`${own}/.full/x`, "");
        files.renameSync(`${own}/.full`, `${box}/${"d".repeat(26)}.pipe`);
        keep["fds"] = fds;
      },
      spool.at("pipes", bob.name),
      spool.at("outbox", mallory.name),
    );
    const flooding = mallory.run(async ({ fs: files, keep }) => {
      const fds = keep["fds"] as number[];
      const noise = Buffer.from("{no json\n".repeat(500));
      for (let i = 0; i < 2_000; i++) {
        for (const fd of fds.slice(0, 4)) {
          try {
            files.writeSync(fd, noise);
          } catch {
            // It is full.
          }
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    const data = Array.from({ length: 300 }, (_, i) => i);
    await send(alice, path, bob.name, ...data);
    await until(async () => (await got(bob)).length === data.length);
    assert.deepEqual(
      (await got(bob)).map((each) => each.data),
      data,
    );
    await flooding;
  });

  test("the process that receives is known to senders, and nobody can pretend to be it", async () => {
    const { mallory, bob } = spool;
    const attempts = await mallory.run(
      ({ fs: files, attempt }, dir) => [
        attempt(() => files.writeFileSync(`${dir}/consumer.json`, "{}")),
        attempt(() => files.unlinkSync(`${dir}/consumer.json`)),
        attempt(() => files.mkdirSync(`${dir}/consumer.lock/x`)),
        attempt(() => files.renameSync(dir, `${dir}.old`)),
      ],
      spool.at("run", bob.name, "pipes"),
    );
    assert.deepEqual(attempts, ["EACCES", "EACCES", "EACCES", "EACCES"]);
  });
});
