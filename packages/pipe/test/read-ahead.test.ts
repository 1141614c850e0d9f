import assert from "node:assert/strict";
import { test } from "node:test";
import { inArena, until } from "./support/stage.js";

const PAD = "p".repeat(900);

test("a receiver that is closed while its handler is at work loses a few messages, and its successor gets all the others", () =>
  inArena(async (arena) => {
    const handled: number[] = [];
    const first = await arena.bus();
    await first.pipes(({ data }) => {
      handled.push((data as { i: number }).i);
      return new Promise(() => undefined);
    });
    const pipe = await arena.send();
    // All of it finds room in the pipe.
    const total = 50;
    for (let i = 0; i < total; i++) await pipe.send({ i, pad: PAD });
    await until(() => handled.length === 1, "the first one is being handled");
    await first.close();
    const got: number[] = [];
    await (await arena.bus()).pipes(({ data }) => void got.push((data as { i: number }).i));
    await until(() => got.at(-1) === total - 1, "the last one came");
    const [from = total] = got;
    assert.deepEqual(
      got,
      Array.from({ length: total - from }, (_, i) => from + i),
    );
    // 8 KiB, of which the first one was handled.
    assert.ok(from <= 9, `the first ${from} of ${total} messages of 1 KiB are gone`);
  }));

test("a receiver that drains is done as soon as the last message was taken, also by whoever asks for one at a time", () =>
  inArena(async (arena) => {
    const end = await arena.receive();
    const iterator = end[Symbol.asyncIterator]();
    const pipe = await arena.send();
    await pipe.send(0);
    await iterator.next();
    await Promise.all([1, 2, 3].map((i) => pipe.send(i)));
    let isDrained = false;
    const draining = end.drain({ timeoutMs: 600_000 }).then(() => (isDrained = true));
    for (let i = 1; i <= 3; i++) assert.equal((await iterator.next()).value?.data, i);
    await until(() => isDrained, "it is drained");
    await draining;
  }));
