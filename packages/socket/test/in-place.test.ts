import assert from "node:assert/strict";
import fs from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createSpool, isBusError, openBus } from "@agentbus/core";
import { inArena } from "./support/socket-arena.js";

const failsWith = (code: string) => (error: unknown) => isBusError(error) && error.code === code;

test("a socket has its mode whatever the umask, from its first moment in place, and its making leaves nothing behind", () =>
  inArena(async (arena) => {
    const bus = await arena.bus();
    const before = process.umask(0);
    const seen = new Set<number>();
    const watcher = fs.watch(`${arena.spool}/run`, { recursive: true });
    watcher.on("change", () => {
      const stat = fs.lstatSync(arena.path, { throwIfNoEntry: false });
      if (stat !== undefined) seen.add(stat.mode & 0o777);
    });
    try {
      for (const umask of [0, 0o777, 0o077]) {
        process.umask(umask);
        const server = await bus.serve("arena", () => 1);
        assert.equal(fs.lstatSync(arena.path).mode & 0o7777, 0o600, "in a personal spool it is its user's alone");
        await server.close();
        assert.equal(fs.existsSync(arena.path), false);
      }
    } finally {
      process.umask(before);
      watcher.close();
    }
    assert.deepEqual(
      [...seen].filter((mode) => mode !== 0o600),
      [],
    );
    const left = fs
      .readdirSync(arena.runDir)
      .filter((name) => name !== "sockets.lock" && !/\.(?:json|lock)$/.test(name));
    assert.deepEqual(left, []);
  }));

test("what was left behind by a server that was killed is replaced; what somebody listens to never is", () =>
  inArena(async (arena) => {
    const first = await arena.receiveElsewhere();
    await assert.rejects(
      arena.serve(() => 1),
      (error) => {
        assert.ok(isBusError(error) && error.code === "ERR_BUSY");
        assert.match(error.message, /process \d+ does already/);
        assert.match(error.fix ?? "", /^stop that process: kill \d+$/);
        return true;
      },
    );
    const client = await arena.connect();
    await client.send("still the first one's");
    await first.kill();
    assert.equal(fs.lstatSync(arena.path).isSocket(), true, "it is left behind");
    await arena.serve(() => "the second");
    const other = await arena.connect();
    assert.equal((await other.call()).data, "the second");
  }));

test("of several that start to serve the same name at once, one does and the others are refused", () =>
  inArena(async (arena) => {
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, (_, i) => arena.serve(() => i)));
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
    for (const outcome of outcomes) if (outcome.status === "rejected") assert.ok(failsWith("ERR_BUSY")(outcome.reason));
    assert.equal(typeof (await (await arena.connect()).call()).data, "number");
  }));

test("a listener that is not of agentbus keeps its place too, and one that answers nothing is given up", async () => {
  await inArena(async (arena) => {
    const bus = await arena.bus();
    await bus.serve("other", () => 1);
    const foreign = createServer().listen(arena.path);
    await once(foreign, "listening");
    try {
      await assert.rejects(
        arena.serve(() => 1),
        failsWith("ERR_BUSY"),
      );
    } finally {
      foreign.close();
    }
  });
});

test("a path of 103 bytes is served; one of 104 is refused with the fix, by both sides", async () => {
  const base = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "agentbus-long-")));
  const user = (await import("node:os")).userInfo().username;
  try {
    const rest = `/run/${user}/abc.sock`.length;
    const spool = join(base, "s".repeat(103 - rest - base.length - 1));
    await createSpool({ spool, env: {} });
    const bus = await openBus({ spool });
    try {
      const server = await bus.serve("abc", () => "here");
      assert.equal(Buffer.byteLength(server.path), 103);
      assert.equal((await (await bus.connect(`@${user}/abc`)).call()).data, "here");
      for (const attempt of [async () => await bus.serve("abcd"), async () => await bus.connect(`@${user}/abcd`)]) {
        await assert.rejects(attempt, (error) => {
          assert.ok(isBusError(error) && error.code === "ERR_PATH_TOO_LONG");
          assert.match(error.message, /104 bytes.*at most 103/);
          assert.match(error.fix ?? "", /1 bytes shorter|agentbus init/);
          return true;
        });
      }
    } finally {
      await bus.close();
    }
  } finally {
    fs.rmSync(base, { recursive: true });
  }
});
