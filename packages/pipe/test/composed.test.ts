import assert from "node:assert/strict";
import { test } from "node:test";
import { isBusError, type Pipe } from "@agentbus/core";
import type { PipeArena } from "./support/pipe-arena.js";
import { inArena, until } from "./support/stage.js";

interface Numbered {
  readonly i: number;
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** The numbers of what arrives, in order, until so many have. */
async function numbersOf(arena: PipeArena, count: number): Promise<number[]> {
  const numbers: number[] = [];
  const end = await arena.receive();
  for await (const { data } of end) if (numbers.push((data as Numbered).i) === count) break;
  return numbers;
}

/** Connected: from here on messages without options are composed where they go from. */
async function connected(arena: PipeArena): Promise<{ pipe: Pipe; numbers: number[] }> {
  const numbers: number[] = [];
  await (await arena.bus()).pipes(({ data }) => void numbers.push((data as Numbered).i));
  const pipe = await arena.send();
  await pipe.send({ i: -1 });
  await until(() => numbers.length === 1, "the first one has arrived");
  numbers.length = 0;
  return { pipe, numbers };
}

/** One of each kind of which some are composed and some are not, by number. */
function sendSome(pipe: Pipe, i: number, signal: AbortSignal): Promise<unknown> {
  const kinds = [
    () => pipe.send({ i }),
    () => pipe.send({ i, pad: "p".repeat(1_000) }),
    () => pipe.send({ i, ok: true, share: i / 7, text: "plain" }),
    () => pipe.send({ i, text: 'with a "quote"' }),
    () => pipe.send({ i, text: "ünïcode 😀" }),
    () => pipe.send({ i, nested: { a: [1, 2] } }),
    () => pipe.send({ i }, { topic: "another.topic" }),
    () => pipe.send({ i }, { signal }),
    () => pipe.send({ i, pad: "p".repeat(30_000) }),
  ];
  return (kinds[i % 13 < kinds.length ? i % 13 : 0] as () => Promise<unknown>)();
}

test("whatever is sent in one tick arrives once and in its order, whichever way each message takes, also while the pipe is full", () =>
  inArena(async (arena) => {
    const { pipe, numbers } = await connected(arena);
    const { signal } = new AbortController();
    const count = 3_000;
    for (let from = 0; from < count; from += 1_000) {
      await Promise.all(upTo(1_000).map((i) => sendSome(pipe, from + i, signal)));
    }
    await until(() => numbers.length >= count, "all have arrived");
    assert.deepEqual(numbers, upTo(count));
    assert.equal(pipe.stats.sent, 1 + count);
  }));

test("of what is composed while the pipe is full, each message is accepted once, when it is in the pipe", () =>
  inArena(async (arena) => {
    const end = await arena.receive();
    const pipe = await arena.send();
    await pipe.send({ i: 0 });
    const count = 3_000;
    let accepted = 0;
    const sending = upTo(count).map((i) =>
      pipe.send({ i: 1 + i, pad: "p".repeat(i % 1_500) }).then(() => {
        accepted++;
        assert.equal(accepted, 1 + i, "in the order in which they were sent");
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(accepted > 0 && accepted < count, String(accepted));
    const numbers: number[] = [];
    for await (const { data } of end) if (numbers.push((data as Numbered).i) === 1 + count) break;
    await Promise.all(sending);
    assert.deepEqual(numbers, upTo(1 + count));
    assert.equal(pipe.stats.sent, 1 + count);
  }));

test("what is taken back while the pipe is full is not sent with what is composed after it", () =>
  inArena(async (arena) => {
    const end = await arena.receive();
    const pipe = await arena.send();
    await pipe.send({ i: 0 });
    const aborting = new AbortController();
    const many = 2_000;
    const sending = upTo(many).map((i) => pipe.send({ i: 1 + i, pad: "p".repeat(1_000) }, { signal: aborting.signal }));
    const settled = Promise.allSettled(sending);
    await new Promise((resolve) => setTimeout(resolve, 100));
    aborting.abort();
    const accepted = (await settled).filter(({ status }) => status === "fulfilled").length;
    assert.ok(accepted > 0 && accepted < many, String(accepted));
    const later = Promise.all(upTo(50).map((i) => pipe.send({ i: 10_000 + i })));
    const numbers: number[] = [];
    for await (const { data } of end) if (numbers.push((data as Numbered).i) && numbers.at(-1) === 10_049) break;
    await later;
    // The one of which the pipe had a part is delivered all the same.
    const before = upTo(numbers.length - 50);
    assert.deepEqual(numbers, [...before, ...upTo(50).map((i) => 10_000 + i)]);
    assert.ok(before.length - 1 - accepted <= 1, `${before.length} for ${accepted}`);
  }));

test("a receiver that is killed again and again under a sender that does not wait: on Linux nothing is lost, and nothing comes twice but what it had taken out", async (context) => {
  if (process.platform !== "linux") return context.skip("only Linux tells what was read");
  await inArena(async (arena) => {
    const pipe = await arena.send();
    const { signal } = new AbortController();
    const count = 4_000;
    const sending = (async () => {
      for (let from = 0; from < count; from += 500) {
        await Promise.all(upTo(500).map((i) => sendSome(pipe, from + i, signal)));
      }
    })();
    const seen: number[][] = [];
    for (let round = 0; round < 4; round++) {
      const child = await arena.receiveElsewhere();
      await until(() => child.received.length > 200, "some have arrived");
      await child.kill();
      seen.push(child.received.map((data) => (data as Numbered).i));
    }
    const last: number[] = [];
    await (await arena.bus()).pipes(({ data }) => void last.push((data as Numbered).i));
    await sending;
    await until(() => last.at(-1) === count - 1, "the last one has arrived");
    seen.push(last);
    for (const numbers of seen) {
      const from = numbers[0] ?? 0;
      assert.deepEqual(
        numbers,
        upTo(numbers.length).map((i) => from + i),
      );
    }
    const firsts = seen.map(([first = 0]) => first);
    assert.deepEqual(
      firsts,
      firsts.toSorted((a, b) => a - b),
    );
  });
});

test("data whose getter sends through the same pipe: both arrive", () =>
  inArena(async (arena) => {
    const { pipe, numbers } = await connected(arena);
    const inner: Promise<unknown>[] = [];
    const sneaky = (i: number) => ({
      get i() {
        inner.push(pipe.send({ i: i + 1_000, pad: "p".repeat(i * 100) }));
        return i;
      },
    });
    await Promise.all(upTo(500).map((i) => pipe.send(i % 3 === 0 ? sneaky(i) : { i })));
    await Promise.all(inner);
    const count = 500 + inner.length;
    await until(() => numbers.length >= count, "all have arrived");
    assert.deepEqual(
      numbers.filter((i) => i < 1_000),
      upTo(500),
    );
    assert.equal(new Set(numbers).size, count);
  }));

test("data whose getter closes the pipe, or throws: the one is refused, and the others are sent or refused", () =>
  inArena(async (arena) => {
    const { pipe, numbers } = await connected(arena);
    const throwing = {
      get i() {
        nested ??= pipe.send({ i: 0 });
        throw new Error("on purpose");
      },
    };
    let nested: Promise<unknown> | undefined;
    await assert.rejects(pipe.send(throwing), /on purpose|ERR_ENVELOPE_INVALID/);
    await nested;
    const first = pipe.send({ i: 0 });
    const second = pipe.send({ i: 1 });
    const closing = {
      get i() {
        void pipe.close();
        return 2;
      },
    };
    const third = pipe.send(closing);
    const fourth = pipe.send({ i: 3 });
    const outcomes = await Promise.allSettled([first, second, third, fourth]);
    assert.equal(outcomes[0].status, "fulfilled");
    for (const outcome of outcomes.slice(2)) {
      assert.ok(outcome.status === "rejected" && isBusError(outcome.reason) && outcome.reason.code === "ERR_CLOSED");
    }
    const sent = outcomes.filter(({ status }) => status === "fulfilled").length;
    await until(() => numbers.length >= 1 + sent, "what was accepted has arrived");
  }));

test("what is sent is counted in messages and in bytes", () =>
  inArena(async (arena) => {
    const numbers = numbersOf(arena, 300);
    const pipe = await arena.send();
    const bytesBefore = pipe.stats.bytes;
    await Promise.all(upTo(300).map((i) => pipe.send(i % 2 === 0 ? { i, pad: "p" } : { i, pad: "ü" })));
    assert.deepEqual(await numbers, upTo(300));
    assert.equal(pipe.stats.sent, 300);
    const envelope = JSON.stringify({
      ...{ specversion: "1.0", id: "x".repeat(26), source: `/agents/${arena.user}`, type: "direct" },
      ...{ time: new Date().toISOString(), topic: "direct", to: `@${arena.user}` },
    });
    const data = upTo(300).map((i) => Buffer.byteLength(`,"data":{"i":${i},"pad":"${i % 2 === 0 ? "p" : "ü"}"}\n`));
    const expected = data.reduce((sum, length) => sum + length + Buffer.byteLength(envelope), 0);
    assert.equal(pipe.stats.bytes - bytesBefore, expected);
  }));
