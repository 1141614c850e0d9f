import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { after, before, describe, test } from "node:test";
import { Accounts } from "#core/accounts.js";
import { createSpool, type CreateSpoolOptions } from "#core/create-spool.js";
import { nodeFileSystem, type FileSystem } from "#core/file-system.js";
import { diagnose } from "@agentbus/core";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import type { Failure, Person } from "../support/person.js";
import { until } from "../support/personal-spool.js";

type Counted = { stats: { refused: Record<string, number> } };

describe("accounts that are barred from channels", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;
  let barred: string;
  before(async () => {
    spool = await GroupSpool.make();
    barred = spool.mallory.name;
    // Their buses are open before anything is barred.
    await spool.bob.run(async ({ keep, openedBus }, path) => {
      const bus = await openedBus(path);
      keep["server"] = await bus.serve("search", { onRefused: () => undefined }, () => "by the socket");
      await bus.respond(`@${bus.user}`, () => "by the spool");
      const list: unknown[] = [];
      keep["got"] = list;
      keep["pipes"] = await bus.pipes({ onRefused: () => undefined }, ({ data }) => list.push(data));
    }, spool.path);
    await change({
      bar: [
        { user: barred, channel: "sockets" },
        { user: barred, channel: "pipes" },
      ],
    });
  });
  after(() => spool.end());

  const change = async (options: Pick<CreateSpoolOptions, "bar" | "unbar">) =>
    createSpool({ spool: spool.path, group: spool.group, env: {}, ...options });
  const boxPath = () => spool.at("pipes", barred);
  const refused = (person: Person, what: "server" | "pipes") =>
    person.run(({ keep }, name) => (keep[name] as Counted).stats.refused["not-allowed"] ?? 0, what);

  test("neither serve nor connect, and are told so with what mends it", async () => {
    for (const action of ["serve", "connect"]) {
      const failure = await failureOf(spool.mallory, action, spool.path, `@${spool.bob.name}/search`);
      assert.equal(failure.code, "ERR_BARRED");
      assert.match(failure.message, new RegExp(`^${barred} may use no sockets in `));
      assert.match(failure.fix ?? "", new RegExp(`bus\\.publish\\(\\).*init --group .* --unbar ${barred}:sockets`));
    }
  });

  test("are not connected to by others, even where they listen without the library", async () => {
    await spool.mallory.run(
      async ({ net, fs: files, keep }, path) => {
        const server = net.createServer();
        await new Promise<void>((resolve) => server.listen(path, resolve));
        files.chmodSync(path, 0o660);
        keep["raw"] = server;
      },
      spool.at("run", barred, "raw.sock"),
    );
    const failure = await failureOf(spool.alice, "connect", spool.path, `@${barred}/raw`);
    assert.equal(failure.code, "ERR_BARRED");
  });

  test("are turned away by a server that they connect to without the library", async () => {
    const heard = await spool.mallory.run(
      ({ net }, path) =>
        new Promise<string>((resolve) => {
          let text = "";
          const socket = net.connect(path);
          socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
          socket.on("close", () => resolve(text));
          socket.on("end", () => socket.end());
        }),
      spool.at("run", spool.bob.name, "search.sock"),
    );
    assert.match(heard, /ERR_BARRED/);
    assert.equal(await refused(spool.bob, "server"), 1);
  });

  test("ask by the spool where others ask through a socket", async () => {
    const ask = (person: Person) =>
      person.run(
        async ({ openedBus }, path, to) => {
          const { data } = await (await openedBus(path)).request(to, 1, { topic: "search" });
          return data;
        },
        spool.path,
        `@${spool.bob.name}`,
      );
    assert.equal(await ask(spool.alice), "by the socket");
    assert.equal(await ask(spool.mallory), "by the spool");
  });

  test("receive no pipes, nor are pipes opened to them or by them", async () => {
    assert.equal((await failureOf(spool.mallory, "pipes", spool.path)).code, "ERR_BARRED");
    assert.equal((await failureOf(spool.alice, "pipe", spool.path, `@${barred}`)).code, "ERR_BARRED");
    assert.equal((await failureOf(spool.mallory, "pipe", spool.path, `@${spool.bob.name}`)).code, "ERR_BARRED");
  });

  test("send and get by the spool what may go there instead", async () => {
    const sendTo = (person: Person, to: Person) =>
      person.run(
        async ({ openedBus }, path, address) => {
          const pipe = await (await openedBus(path)).pipe(address, { fallback: "spool" });
          await pipe.send("by the spool");
          const { sent, spooled } = pipe.stats;
          await pipe.close();
          return { sent, spooled };
        },
        spool.path,
        `@${to.name}`,
      );
    assert.deepEqual(await sendTo(spool.alice, spool.mallory), { sent: 0, spooled: 1 });
    assert.deepEqual(await sendTo(spool.mallory, spool.bob), { sent: 0, spooled: 1 });
    assert.deepEqual(await sendTo(spool.alice, spool.bob), { sent: 1, spooled: 0 });
  });

  test("have a drop box of pipes that is root's: the kernel lets nobody put anything in, nor have it back", async () => {
    const stat = fs.lstatSync(boxPath());
    assert.deepEqual([stat.uid, stat.mode & 0o7777], [0, 0o700]);
    for (const person of [spool.alice, spool.mallory]) {
      const said = await person.run(
        ({ spawnSync }, path) => spawnSync("mkfifo", [path], { encoding: "utf8", env: { LC_ALL: "C" } }).stderr,
        `${boxPath()}/${randomBytes(16).toString("hex")}.pipe`,
      );
      assert.match(said, /Permission denied/);
    }
    const codes = await spool.mallory.run(({ fs: files }, path) => {
      const attempts = [
        () => files.chmodSync(path, 0o700),
        () => files.renameSync(path, `${path}.old`),
        () => files.rmdirSync(path),
      ];
      return attempts.map((attempt) => {
        try {
          attempt();
          return "done";
        } catch (error) {
          return (error as NodeJS.ErrnoException).code;
        }
      });
    }, boxPath());
    assert.deepEqual(codes, ["EPERM", "EPERM", "EPERM"]);
  });

  test("are refused by a receiver that they put a pipe to without the library", async () => {
    const path = `${spool.at("pipes", spool.bob.name)}/${randomBytes(16).toString("hex")}.pipe`;
    // The drop box gives it the group of the spool, and bob may take it at any moment.
    await spool.mallory.run(({ spawnSync }, at) => void spawnSync("mkfifo", ["-m", "0640", at]), path);
    await until(async () => (await refused(spool.bob, "pipes")) === 1);
    assert.ok(!fs.existsSync(path));
  });

  test("are as they should be for the doctor, which finds a drop box that is not shut", async () => {
    const findings = async () =>
      (await diagnose({ spool: spool.path })).filter(({ message }) => message.includes(boxPath()));
    assert.deepEqual(await findings(), []);
    fs.chownSync(boxPath(), spool.mallory.uid, fs.statSync(spool.path).gid);
    const [finding] = await findings();
    assert.match(finding?.message ?? "", /is not root's alone, and .* may use no pipes/);
    assert.match(finding?.fix ?? "", /^agentbus init --group/);
    assert.deepEqual((await change({})).changes, [`${boxPath()} was its account's, and is root's alone now`]);
    assert.deepEqual(await findings(), []);
  });

  test("use channels again once they may, on buses that have been open all the time", async () => {
    await change({
      unbar: [
        { user: barred, channel: "sockets" },
        { user: barred, channel: "pipes" },
      ],
    });
    const stat = fs.lstatSync(boxPath());
    assert.deepEqual(
      [stat.uid, stat.mode & 0o7777, stat.gid],
      [spool.mallory.uid, 0o3730, fs.statSync(spool.path).gid],
    );
    assert.ok(!fs.readFileSync(spool.at("spool.json"), "utf8").includes("barred"));
    const answer = await spool.mallory.run(
      async ({ openedBus, keep }, path, bob) => {
        const bus = await openedBus(path);
        const list: unknown[] = [];
        keep["got"] = list;
        await bus.pipes(({ data }) => list.push(data));
        const { data } = await (await bus.connect(`@${bob}/search`)).call();
        const pipe = await bus.pipe(`@${bob}`);
        await pipe.send("by the pipe");
        await pipe.drain();
        return data;
      },
      spool.path,
      spool.bob.name,
    );
    assert.equal(answer, "by the socket");
    const got = (person: Person) => person.run(({ keep }) => keep["got"] as unknown[]);
    await until(async () => (await got(spool.bob)).includes("by the pipe"));
    await spool.alice.run(
      async ({ openedBus }, path, to) => {
        const pipe = await (await openedBus(path)).pipe(to);
        await pipe.send("hello");
        await pipe.drain();
      },
      spool.path,
      `@${barred}`,
    );
    await until(async () => (await got(spool.mallory)).includes("hello"));
  });

  test("lead root nowhere by exchanging their drop box while it is shut", async () => {
    const victim = `${spool.scratchDir}/victim`;
    fs.mkdirSync(victim, { mode: 0o755 });
    fs.chownSync(victim, spool.alice.uid, spool.alice.gid);
    let exchanges = 0;
    // As its account could at this moment.
    const exchange = () => {
      exchanges++;
      fs.renameSync(boxPath(), `${boxPath()}.own`);
      fs.symlinkSync(victim, boxPath());
    };
    const fileSystem: FileSystem = {
      ...nodeFileSystem,
      open: (path, flags, mode) => {
        const fd = nodeFileSystem.open(path, flags, mode);
        if (path === boxPath() && exchanges === 0) exchange();
        return fd;
      },
    };
    const bar = [{ user: barred, channel: "pipes" }] as const;
    const options = { spool: spool.path, group: spool.group, env: {}, bar };
    await createSpool(options, { fileSystem, accounts: new Accounts() });
    assert.equal(exchanges, 1);
    const stat = fs.lstatSync(boxPath());
    assert.deepEqual([stat.isDirectory(), stat.uid, stat.mode & 0o7777], [true, 0, 0o700]);
    const { uid, mode } = fs.lstatSync(victim);
    assert.deepEqual([uid, mode & 0o7777], [spool.alice.uid, 0o755]);
    await change({ unbar: bar });
  });

  test("have to be accounts, and a spool of one's own has nobody to bar", async () => {
    const nobody = [{ user: "abtnobodyatall", channel: "sockets" }] as const;
    await assert.rejects(change({ bar: nobody }), { code: "ERR_ACCOUNT" });
    const personal = { spool: `${spool.scratchDir}/personal`, env: {} };
    await assert.rejects(createSpool({ ...personal, bar: nobody }), /TypeError: a personal spool/);
  });
});

/** How an action of the bus fails for somebody. */
async function failureOf(person: Person, action: string, path: string, to = ""): Promise<Failure> {
  const outcome = person.run(
    async ({ openedBus }, at, what, address) => {
      const bus = await openedBus(at);
      if (what === "serve") await bus.serve("things", () => undefined);
      if (what === "connect") await bus.connect(address);
      if (what === "pipes") await bus.pipes(() => undefined);
      if (what === "pipe") await bus.pipe(address);
    },
    path,
    action,
    to,
  );
  return outcome.then(
    () => assert.fail(`${action} was not refused`),
    (error: unknown) => error as Failure,
  );
}
