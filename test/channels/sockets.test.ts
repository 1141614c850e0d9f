import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, describe, test } from "node:test";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import type { Person } from "../support/person.js";

type Server = { close(): Promise<void>; stats: { refused: Record<string, number> } };

/** Serves "search": answers with the data and who asked. */
async function serve(person: Person, path: string, allow?: { users?: string[]; groups?: string[] }): Promise<void> {
  await person.run(
    async ({ keep, openedBus }, spool, who) => {
      await (keep["server"] as Server | undefined)?.close();
      const options = { allow: who, onRefused: () => undefined, maxConnectionsPerUser: 20 };
      keep["server"] = await (
        await openedBus(spool)
      ).serve("search", options, ({ data, sender, envelope }) =>
        data === "wait" ? new Promise(() => undefined) : { data, sender, source: envelope.source },
      );
    },
    path,
    allow,
  );
}

async function refused(person: Person): Promise<Record<string, number>> {
  return person.run(({ keep }) => (keep["server"] as Server).stats.refused);
}

const call = async (person: Person, path: string, address: string, data: unknown) =>
  person.run(
    async ({ openedBus }, spool, to, what) => {
      const client = await (await openedBus(spool)).connect(to);
      try {
        const answer = await client.call(what);
        return { data: answer.data, sender: { ...answer.sender } };
      } finally {
        await client.close();
      }
    },
    path,
    address,
    data,
  );

describe("sockets between accounts of a group", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;
  let address: string;
  before(async () => {
    spool = await GroupSpool.make();
    address = `@${spool.bob.name}/search`;
    await serve(spool.bob, spool.path);
  });
  after(() => spool.end());
  const socketPath = () => spool.at("run", spool.bob.name, "search.sock");

  test("members talk, each verified by the other; the socket is its server's, of the group, and 0660", async () => {
    const { alice, bob } = spool;
    const answer = await call(alice, spool.path, address, 1);
    const asked = { user: alice.name, uid: alice.uid };
    assert.deepEqual(answer, {
      data: { data: 1, sender: asked, source: `/agents/${alice.name}` },
      sender: { user: bob.name, uid: bob.uid },
    });
    const stat = fs.lstatSync(socketPath());
    assert.deepEqual([stat.mode & 0o7777, stat.uid, stat.gid], [0o660, bob.uid, fs.statSync(spool.path).gid]);
  });

  test("somebody outside of the group cannot connect, and sees nothing", async () => {
    const failures = await spool.oscar.run(async ({ fs: files, net }, path) => {
      const codes: unknown[] = [];
      try {
        files.lstatSync(path);
      } catch (error) {
        codes.push((error as NodeJS.ErrnoException).code);
      }
      const socket = net.connect(path);
      codes.push(
        await new Promise((resolve) => {
          socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
          socket.on("connect", () => resolve("connected"));
        }),
      );
      return codes;
    }, socketPath());
    assert.deepEqual(failures, ["EACCES", "EACCES"]);
  });

  test("a member cannot speak in another's name", async () => {
    const known = (await refused(spool.bob))["forged-source"] ?? 0;
    const text = await spool.mallory.run(
      async ({ envelope, net }, path, alice, bob) => {
        const socket = net.connect(path);
        let heard = "";
        socket.on("data", (chunk: Buffer) => (heard += chunk.toString()));
        const forged = JSON.stringify(envelope(alice, "search", { to: `@${bob}`, data: "transfer everything" }));
        socket.write(`H0 {"agentbus":1,"room":1000}\nC1 ${forged}\n`);
        while (!heard.includes("A1 ")) await new Promise((resolve) => socket.once("data", resolve));
        socket.destroy();
        return heard;
      },
      socketPath(),
      spool.alice.name,
      spool.bob.name,
    );
    assert.match(text, /replyerror":"the call was refused: forged-source/);
    assert.equal((await refused(spool.bob))["forged-source"], known + 1);
  });

  test("a member cannot replace or remove a socket, and one of its own in another's name is not believed", async () => {
    const { mallory, alice, bob } = spool;
    const codes = await mallory.run(
      async ({ fs: files, net }, path, run) => {
        const outcomes: unknown[] = [];
        const attempt = (action: () => void) => {
          try {
            action();
            outcomes.push("done");
          } catch (error) {
            outcomes.push((error as NodeJS.ErrnoException).code);
          }
        };
        attempt(() => files.unlinkSync(path));
        attempt(() => files.renameSync(path, `${path}.gone`));
        attempt(() => files.chmodSync(path, 0o777));
        attempt(() => files.renameSync(run, `${run}.gone`));
        const listener = net.createServer();
        outcomes.push(
          await new Promise((resolve) => {
            listener.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
            listener.listen(`${run}/fake.sock`, () => resolve("listening"));
          }),
        );
        return outcomes;
      },
      socketPath(),
      spool.at("run", bob.name),
    );
    assert.deepEqual(codes, ["EACCES", "EACCES", "EPERM", "EPERM", "EACCES"]);
    // A name that leads to somebody else's socket: what listens there is not the account that was addressed.
    await mallory.run(
      async ({ fs: files, openedBus }, path, to) => {
        await (await openedBus(path)).serve("own", () => "mallory's");
        files.symlinkSync(to, `${path}/run/${(await openedBus(path)).user}/linked.sock`);
      },
      spool.path,
      socketPath(),
    );
    const failure = await alice.failureOf(
      async ({ openedBus }, path, to) => void (await (await openedBus(path)).connect(to)),
      spool.path,
      `@${mallory.name}/linked`,
    );
    assert.equal(failure.code, "ERR_NO_PEER");
    // The administrator's mistake: another's socket moved to where bob's should be.
    fs.renameSync(spool.at("run", mallory.name, "own.sock"), spool.at("run", bob.name, "own.sock"));
    try {
      for (const owner of [mallory.uid, bob.uid]) {
        fs.chownSync(spool.at("run", bob.name, "own.sock"), owner, fs.statSync(spool.path).gid);
        const squatted = await alice.failureOf(
          async ({ openedBus }, path, to) => void (await (await openedBus(path)).connect(to)),
          spool.path,
          `@${bob.name}/own`,
        );
        assert.equal(squatted.code, "ERR_SQUATTED");
        assert.match(squatted.message, new RegExp(`uid ${mallory.uid} listens there`));
      }
    } finally {
      fs.rmSync(spool.at("run", bob.name, "own.sock"));
    }
  });

  test("`allow` goes by the kernel's word: accounts by their uid, groups by those that the process is in", async () => {
    const { alice, bob, mallory, group } = spool;
    await serve(bob, spool.path, { users: [alice.name] });
    await call(alice, spool.path, address, 1);
    const failure = await mallory.failureOf(
      async ({ openedBus }, path, to) => void (await (await openedBus(path)).connect(to)),
      spool.path,
      address,
    );
    assert.equal(failure.code, "ERR_ACCESS");
    assert.deepEqual(await refused(bob), { "not-allowed": 1 });
    await serve(bob, spool.path, { groups: [group] });
    await call(mallory, spool.path, address, 1);
    await serve(bob, spool.path, { groups: [alice.name] });
    await call(alice, spool.path, address, 1);
    const other = await mallory.failureOf(
      async ({ openedBus }, path, to) => void (await (await openedBus(path)).connect(to)),
      spool.path,
      address,
    );
    assert.equal(other.code, "ERR_ACCESS");
    await serve(bob, spool.path);
  });

  test("a member that opens all it can, floods and never reads stalls nobody but itself", async () => {
    const { alice, mallory, bob } = spool;
    await mallory.run(
      async ({ envelope, keep, net }, path, me, to) => {
        const sockets = Array.from({ length: 40 }, () => net.connect(path));
        keep["sockets"] = sockets;
        for (const [index, socket] of sockets.entries()) {
          socket.on("error", () => undefined);
          if (index % 3 === 0) continue; // says nothing
          socket.write('H0 {"agentbus":1,"room":1}\n');
          const data = index % 3 === 1 ? "wait" : "x".repeat(100_000);
          for (let i = 1; i < 200; i++) socket.write(`C${i} ${JSON.stringify(envelope(me, "search", { to, data }))}\n`);
        }
      },
      socketPath(),
      mallory.name,
      `@${bob.name}`,
    );
    for (let i = 0; i < 50; i++) {
      const { data } = await call(alice, spool.path, address, i);
      assert.equal((data as { data: unknown }).data, i);
    }
    assert.ok(((await refused(bob))["too-many"] ?? 0) >= 20);
    await mallory.run(({ keep }) => {
      for (const socket of keep["sockets"] as { destroy(): void }[]) socket.destroy();
    });
  });
});
