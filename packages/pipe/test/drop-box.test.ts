import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";
import { inspect, isBusError } from "@agentbus/core";
import { inArena, until } from "./support/stage.js";

const NAME = (i: number) => `${String(i).padStart(26, "a")}.pipe`;

test("whatever else lies in the drop box is refused and removed, and holds nobody up", () =>
  inArena(async (arena) => {
    await (await arena.receive()).close();
    const at = (i: number) => `${arena.boxDir}/${NAME(i)}`;
    fs.writeFileSync(at(1), "{}\n");
    fs.symlinkSync("/dev/zero", at(2));
    fs.symlinkSync("/nowhere", at(3));
    fs.mkdirSync(at(4));
    fs.mkdirSync(at(5));
    fs.writeFileSync(`${at(5)}/full`, "");
    const server = createServer().listen(at(6).slice(0, 107));
    await once(server, "listening");
    spawnSync("mkfifo", ["-m", "0660", at(7)]);
    fs.writeFileSync(`${arena.boxDir}/short.pipe`, "");
    fs.writeFileSync(Buffer.from(`${arena.boxDir}/\u00ff\u001b[2J.pipe`, "latin1"), "");
    const refusals: string[] = [];
    const end = await arena.receive({ onRefused: ({ reason, detail }) => void refusals.push(`${reason}: ${detail}`) });
    const pipe = await arena.send();
    await pipe.send("passes");
    for await (const { data } of end) {
      assert.equal(data, "passes");
      assert.deepEqual(end.stats.refused, { "not-a-file": 6, "forged-source": 1, "bad-name": 2 });
      break;
    }
    server.close();
    assert.ok(
      refusals.every((text) => /^[ -~]+$/.test(text)),
      "nothing that a terminal would obey",
    );
    // A directory that is not empty is another's to empty.
    assert.deepEqual(
      fs.readdirSync(arena.boxDir).filter((name) => name !== NAME(5)),
      [],
    );
  }));

test("what a dead sender left is removed: at once where somebody had it open, else when it is old", () =>
  inArena(async (arena) => {
    await (await arena.receive()).close();
    const dead = spawn(process.execPath, [
      "--input-type=module",
      "--eval",
      `import { openBus } from "@agentbus/core";
       const pipe = await (await openBus({ spool: ${JSON.stringify(arena.spool)} })).pipe("@${arena.user}");
       pipe.send("never");`,
    ]);
    await until(() => fs.readdirSync(arena.boxDir).length === 1, "it waits");
    const [left] = fs.readdirSync(arena.boxDir);
    dead.kill("SIGKILL");
    await once(dead, "exit");
    const end = await arena.receive();
    const pipe = await arena.send();
    await pipe.send("passes");
    const iterator = end[Symbol.asyncIterator]();
    assert.equal((await iterator.next()).value?.data, "passes");
    assert.deepEqual(fs.readdirSync(arena.boxDir), [left], "somebody may be about to open it");
    await end.close();
  }));

test("a sender that vanishes is no concern of the others, and a new one is noticed without a rescan", () =>
  inArena(async (arena) => {
    const end = await arena.receive();
    const iterator = end[Symbol.asyncIterator]();
    for (let i = 0; i < 14; i++) {
      const next = iterator.next();
      const pipe = await arena.send();
      await pipe.send(i);
      assert.equal((await next).value?.data, i);
      if (i % 2 === 0) await pipe.close();
    }
    assert.deepEqual(fs.readdirSync(arena.boxDir), []);
    await end.close();
  }));

test("one process of an account receives pipes at a time; the second is told which, and may when that is killed", () =>
  inArena(async (arena) => {
    const first = await arena.receiveElsewhere();
    await assert.rejects(
      arena.receive(),
      (error) => isBusError(error) && error.code === "ERR_BUSY" && error.message.includes(String(first.pid)),
    );
    await first.kill();
    await (await arena.receive()).close();
  }));

test("pipes hold no thread: with a hundred of them open and silent, the file system answers", () =>
  inArena(async (arena) => {
    const end = await (await arena.bus()).pipes({ maxPipesPerSender: 100 });
    const iterator = end[Symbol.asyncIterator]();
    for (let i = 0; i < 100; i++) {
      const next = iterator.next();
      const pipe = await arena.send();
      await pipe.send(i);
      await next;
    }
    // Each of these needs a thread of libuv's pool, which has four.
    await Promise.all(Array.from({ length: 16 }, () => fs.promises.readFile("/etc/passwd")));
    const next = iterator.next();
    await Promise.all(Array.from({ length: 16 }, () => fs.promises.stat("/")));
    await end.close();
    assert.equal((await next).done, true);
  }));

test("of one sender only so many pipes are read at a time; the others wait for their turn, and come", () =>
  inArena(async (arena) => {
    const end = await (await arena.bus()).pipes({ maxPipesPerSender: 2 });
    const pipes = await Promise.all([0, 1, 2, 3].map(() => arena.send()));
    const sending = pipes.map((pipe, i) => pipe.send(i).then(() => pipe.close()));
    const got: unknown[] = [];
    for await (const { data } of end) {
      got.push(data);
      if (got.length === 4) break;
    }
    await Promise.all(sending);
    assert.deepEqual(new Set(got), new Set([0, 1, 2, 3]));
  }));

test("what is refused holds its sender back as well, and nothing of it piles up", () =>
  inArena(async (arena) => {
    const lines = 500_000;
    const end = await arena.receive({ onRefused: () => undefined });
    const iterator = end[Symbol.asyncIterator]();
    let isWritten = false;
    const before = process.memoryUsage.rss();
    const writing = arena.write(Buffer.from("\xff\n".repeat(lines), "latin1")).then(() => (isWritten = true));
    const pipe = await arena.send();
    // Both are taken up, and nobody has asked for a message yet.
    const sending = pipe.send("passes");
    await sending;
    for (let turns = 0; turns < 200; turns++) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(isWritten, false, "there is room for 64 KiB in a pipe of mkfifo's, and not for a megabyte");
    assert.ok(process.memoryUsage.rss() - before < 64 * 1024 * 1024);
    assert.equal((await iterator.next()).value?.data, "passes");
    const over = iterator.next();
    await writing;
    await until(() => end.stats.refused["invalid-json"] === lines, "all of them are refused");
    await end.close();
    await over;
  }));

test("senders take turns, message by message, whoever came first and has more", () =>
  inArena(async (arena) => {
    const end = await arena.receive();
    const iterator = end[Symbol.asyncIterator]();
    const [greedy, modest] = [await arena.send(), await arena.send()];
    for (const pipe of [greedy, modest]) {
      const first = iterator.next();
      await pipe.send("connected");
      await first;
    }
    // All of it finds room in the pipes, and in what is read ahead.
    await Promise.all(Array.from({ length: 200 }, () => greedy.send("greedy")));
    await Promise.all(Array.from({ length: 50 }, () => modest.send("modest")));
    // The event loop reads ahead of whoever takes them.
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
    const taken: unknown[] = [];
    while (!taken.includes("modest")) taken.push((await iterator.next()).value?.data);
    const next: unknown[] = [];
    while (next.length < 40) next.push((await iterator.next()).value?.data);
    assert.deepEqual(
      next,
      Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? "greedy" : "modest")),
    );
    await end.close();
  }));

test("status lists the open ends with their peers, and forgets them when they are closed", () =>
  inArena(async (arena) => {
    const end = await arena.receive();
    const taking = (async () => {
      for await (const _ of end);
    })();
    const pipe = await arena.send();
    for (let i = 0; i < 100; i++) await pipe.send(i);
    const seen = async () =>
      (await inspect({ spool: arena.spool })).channels.map(({ kind, role, peer, messages }) =>
        [kind, role, peer ?? "-", messages].join(" "),
      );
    const { user } = arena;
    const expected = [`pipe receiver - 100`, `pipe receiver ${user} 100`, `pipe sender ${user} 100`];
    await untilEqual(seen, expected);
    await pipe.close();
    await untilEqual(seen, [`pipe receiver - 100`]);
    await end.close();
    await taking;
    await untilEqual(seen, []);
  }));

async function untilEqual(read: () => Promise<string[]>, expected: string[]): Promise<void> {
  let last: string[] = [];
  const isSo = () => JSON.stringify(last) === JSON.stringify(expected);
  while (!isSo()) {
    last = (await read()).toSorted();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("whoever sends nothing but what is refused, however much, leaves everybody else a turn", () =>
  inArena(async (arena) => {
    let [turn, total] = [0, 0];
    const perTurn = new Map<number, number>();
    let clock = setImmediate(function next() {
      turn++;
      clock = setImmediate(next);
    });
    try {
      const onRefused = () => {
        total++;
        perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1);
      };
      await (await arena.bus()).pipes({ onRefused }, () => undefined);
      await arena.write(Buffer.from("x\n".repeat(100_000)));
      await until(() => total === 100_000, "all of it is refused");
      assert.ok(Math.max(...perTurn.values()) <= 1_000, `${Math.max(...perTurn.values())} in one turn`);
    } finally {
      clearImmediate(clock);
    }
  }));
