import assert from "node:assert/strict";
import { test } from "node:test";
import { isBusError, type SocketMessage } from "@agentbus/core";
import { inArena } from "./support/socket-arena.js";
import { until } from "./support/until.js";

const failsWith = (code: string) => (error: unknown) => isBusError(error) && error.code === code;

test("a call is answered with what the handler returns; both sides see who the other one is", () =>
  inArena(async (arena) => {
    let asker: unknown;
    await arena.serve(({ data, sender }: SocketMessage<{ a: number; b: number }>) => {
      asker = sender;
      return { sum: data.a + data.b };
    });
    const client = await arena.connect();
    const answer = await client.call<{ sum: number }>({ a: 1, b: 2 });
    assert.deepEqual(answer.data, { sum: 3 });
    const root = { user: arena.user, uid: arena.uid };
    assert.deepEqual([asker, answer.sender, client.server], [root, root, root]);
    assert.equal(answer.type, "arena.reply");
    assert.equal(answer.envelope.hops, 1);
  }));

test("what a handler throws, promises to reject, or returns that JSON has no text for is told to whoever asked", () =>
  inArena(async (arena) => {
    const handlers: Record<string, () => unknown> = {
      throws: () => {
        throw new Error("not today");
      },
      rejects: () => Promise.reject(new Error("not today")),
      circles: () => {
        const circle: Record<string, unknown> = { why: "not today" };
        circle["self"] = circle;
        return circle;
      },
      exceeds: () => "x".repeat(arena.maxEnvelopeBytes),
    };
    await arena.serve(({ data }: SocketMessage<string>) => handlers[data]?.() ?? null);
    const client = await arena.connect();
    for (const name of ["throws", "rejects"]) {
      await assert.rejects(
        client.call(name),
        (error) => failsWith("ERR_RESPONDER")(error) && /not today/.test(String(error)),
      );
    }
    for (const name of ["circles", "exceeds"])
      await assert.rejects(client.call(name), failsWith("ERR_RESPONDER"), name);
    assert.equal((await client.call("nothing")).data, null);
  }));

test("calls are handled side by side, up to `concurrency`, and answered as they finish", () =>
  inArena(async (arena) => {
    const running = new Map<number, (value: unknown) => void>();
    let most = 0;
    await arena.serve(
      ({ data }: SocketMessage<number>) => {
        const result = new Promise((resolve) => running.set(data, resolve));
        most = Math.max(most, running.size);
        return result;
      },
      { concurrency: 8, concurrencyPerUser: 3 },
    );
    const client = await arena.connect();
    const order: number[] = [];
    const calls = Array.from({ length: 9 }, async (_, i) => {
      order.push((await client.call<number>(i)).data);
    });
    for (let done = 0; done < 9; done++) {
      await until(() => running.size > 0);
      // The last one that was started.
      const [last, finish] = [...running].at(-1) ?? [0, () => undefined];
      running.delete(last);
      finish(last);
      await until(() => order.length === done + 1);
    }
    await Promise.all(calls);
    assert.equal(most, 3);
    assert.notDeepEqual(
      order,
      [...order].sort((a, b) => a - b),
      "the first one to finish is the first one to be answered",
    );
  }));

test("a call that takes too long fails in time, and its handler is told; so is that of one that is aborted", () =>
  inArena(async (arena) => {
    const signals: AbortSignal[] = [];
    await arena.serve(({ signal }) => {
      signals.push(signal);
      return new Promise(() => undefined);
    });
    const client = await arena.connect();
    await assert.rejects(client.call(1, { timeoutMs: 20 }), failsWith("ERR_TIMEOUT"));
    const aborting = new AbortController();
    const reason = new Error("changed my mind");
    const call = client.call(2, { signal: aborting.signal });
    await until(() => signals.length === 2);
    aborting.abort(reason);
    await assert.rejects(call, (error) => error === reason);
    await until(() => signals.every(({ aborted }) => aborted));
  }));

test("a server's own limit ends a call, and frees its place", () =>
  inArena(async (arena) => {
    await arena.serve(
      async ({ data, signal }) => {
        if (data === "quick") return "done";
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
        return null;
      },
      { concurrency: 1, timeoutMs: 20 },
    );
    const client = await arena.connect();
    const slow = client.call("slow");
    const quick = client.call("quick");
    await assert.rejects(slow, (error) => failsWith("ERR_RESPONDER")(error) && /longer than 20 ms/.test(String(error)));
    assert.equal((await quick).data, "done");
  }));

test("an async iterable is an answer whose values come as they are wanted, and leaving it stops its source", () =>
  inArena(async (arena) => {
    let made = 0;
    let isLeft = false;
    await arena.serve(async function* ({ data }: SocketMessage<number>) {
      try {
        for (let i = 0; i < data; i++) yield { i: made++, pad: "p".repeat(1_000) };
      } finally {
        isLeft = true;
      }
    });
    const client = await arena.connect();
    const few = await client.call<AsyncIterable<{ i: number }>>(3);
    const values: number[] = [];
    for await (const { i } of few.data) values.push(i);
    assert.deepEqual(values, [0, 1, 2]);
    await until(() => isLeft);

    isLeft = false;
    made = 0;
    const { data: many } = await client.call<AsyncIterable<{ i: number }>>(1_000_000);
    let before = -1;
    await until(() => {
      const stands = made === before && made > 0;
      before = made;
      return stands;
    });
    assert.ok(made < 1_000, `${made} values were made that nobody wanted`);
    for await (const _ of many) break;
    await until(() => isLeft);
    assert.equal((await client.call<AsyncIterable<unknown>>(0)).data[Symbol.asyncIterator] !== undefined, true);
  }));

test("an async iterable as argument is read as the handler wants it; a handler that leaves it stops its source", () =>
  inArena(async (arena) => {
    let sent = 0;
    let isLeft = false;
    async function* numbers(count: number) {
      try {
        for (let i = 1; i <= count; i++) {
          sent++;
          yield { i, pad: "p".repeat(1_000) };
        }
      } finally {
        isLeft = true;
      }
    }
    const held: { goOn?: (() => void) | undefined } = {};
    const resume = () => held.goOn?.();
    await arena.serve(async ({ data }: SocketMessage<AsyncIterable<{ i: number }>>) => {
      let sum = 0;
      for await (const { i } of data) {
        sum += i;
        if (i === 1_000) break;
        if (i === 1) await new Promise<void>((resolve) => (held.goOn = resolve));
      }
      return sum;
    });
    const client = await arena.connect();
    const few = client.call<number>(numbers(100));
    await until(() => held.goOn !== undefined);
    resume();
    assert.equal((await few).data, 5_050);

    sent = 0;
    held.goOn = undefined;
    isLeft = false;
    const many = client.call<number>(numbers(1_000_000));
    await until(() => held.goOn !== undefined);
    let before = -1;
    await until(() => {
      const stands = sent === before;
      before = sent;
      return stands;
    });
    assert.ok(sent < 1_000, `${sent} values were sent that nobody read`);
    resume();
    assert.equal((await many).data, 500_500);
    await until(() => isLeft);
  }));

test("streams that fail on either side break off with the reason, not in silence", () =>
  inArena(async (arena) => {
    await arena.serve(async function* ({ data }: SocketMessage<AsyncIterable<number>>) {
      for await (const value of data) yield value;
      throw new Error("no more of it");
    });
    const client = await arena.connect();
    async function* failing() {
      yield 1;
      throw new Error("the source is dry");
    }
    async function* whole() {
      yield 1;
    }
    for (const [source, reason] of [
      [failing, /the source is dry/],
      [whole, /no more of it/],
    ] as const) {
      const values: unknown[] = [];
      const { data } = await client.call<AsyncIterable<number>>(source());
      await assert.rejects(
        async () => {
          for await (const value of data) values.push(value);
        },
        (error) => failsWith("ERR_RESPONDER")(error) && reason.test(String(error)),
      );
      assert.deepEqual(values, [1]);
    }
  }));

test("a server pushes to its clients, to one or to all, and a client that does not read holds nobody up", () =>
  inArena(async (arena) => {
    const server = await arena.serve(({ peer, data }) => {
      if (data !== "hello") return "ok";
      return peer.send("hello yourself").then(() => "pushed");
    });
    const [first, second, deaf] = [await arena.connect(), await arena.connect(), await arena.connect()];
    const got: unknown[][] = [[], []];
    for (const [index, client] of [first, second].entries()) {
      void (async () => {
        for await (const { data } of client) got[index]?.push(data);
      })();
    }
    assert.equal((await first.call("hello")).data, "pushed");
    await until(() => got[0]?.length === 1);
    await deaf.call("I am here");
    await until(() => server.peers.length === 3);
    const big = "p".repeat(100_000);
    let skipped = 0;
    for (let i = 0; i < 20; i++) {
      ({ skipped } = await server.push({ i, big }));
      await until(() => got[1]?.length === i + 1 && got[0]?.length === i + 2);
    }
    assert.equal(skipped, 1);
    assert.equal(got[0]?.[0], "hello yourself");
    assert.ok(server.stats.skipped > 0);
    // It can be asked all the same.
    assert.equal((await deaf.call("still there?")).data, "ok");
  }));

test("without a handler, calls and messages are iterated, and answered with reply() or fail()", () =>
  inArena(async (arena) => {
    const server = await arena.receive();
    const client = await arena.connect();
    const answers = Promise.allSettled([client.call("a"), client.call("b")]);
    await client.send("c");
    const seen: unknown[] = [];
    for await (const message of server) {
      seen.push([message.data, message.isCall]);
      if (message.data === "a") message.reply("A");
      if (message.data === "b") message.fail("no b here");
      if (seen.length === 3) break;
    }
    assert.deepEqual(seen, [
      ["a", true],
      ["b", true],
      ["c", false],
    ]);
    const [a, b] = await answers;
    assert.equal(a?.status === "fulfilled" && a.value.data, "A");
    assert.ok(b?.status === "rejected" && failsWith("ERR_RESPONDER")(b.reason));
  }));

test("what a handler publishes follows from the call", () =>
  inArena(async (arena) => {
    const bus = await arena.bus();
    const listening = await bus.subscribe("log.**");
    await bus.serve("arena", async () => void (await bus.publish("log.asked", 1)));
    const client = await arena.connect();
    const { envelope } = await client.call("x");
    for await (const message of listening) {
      assert.equal(message.envelope.causationid, envelope.causationid);
      assert.equal(message.envelope.hops, 1);
      break;
    }
  }));

test("what a program gets wrong is a TypeError that says so", () =>
  inArena(async (arena) => {
    const bus = await arena.bus();
    await assert.rejects(async () => await bus.serve("a/b"), TypeError);
    await assert.rejects(async () => await bus.serve("x", { concurrency: 0 }), TypeError);
    await assert.rejects(async () => await bus.serve("x", { alow: {} } as never), TypeError);
    await assert.rejects(async () => await bus.serve("x", { allow: { users: "me" } } as never), TypeError);
    await assert.rejects(async () => await bus.connect("@me/x", { patience: 1 } as never), TypeError);
    await assert.rejects(async () => await bus.connect("@me"), failsWith("ERR_TOPIC_INVALID"));
    await assert.rejects(
      async () => await bus.serve("x", { allow: { users: ["nobody-of-that-name"] } }),
      failsWith("ERR_ACCOUNT"),
    );
    await assert.rejects(async () => await bus.connect("@nobody-of-that-name/x"), failsWith("ERR_ADDRESS_UNKNOWN"));
    await assert.rejects(async () => await bus.connect(`@${arena.user}/nothing`), failsWith("ERR_NO_PEER"));
    await arena.serve(() => 1);
    const client = await arena.connect();
    await assert.rejects(client.call(1, { timeoutMs: 0 }), TypeError);
    await assert.rejects(client.call(1, { urgency: 1 } as never), TypeError);
  }));

test("a stream that somebody else reads already breaks off with that reason, on either side", () =>
  inArena(async (arena) => {
    await arena.serve(async ({ data }: SocketMessage) => {
      if (data === "give") return locked();
      try {
        for await (const value of data as AsyncIterable<unknown>) assert.fail(String(value));
        return "complete";
      } catch (error) {
        return String(error);
      }
    });
    const client = await arena.connect();
    const { data } = await client.call<AsyncIterable<unknown>>("give");
    await assert.rejects(async () => {
      for await (const value of data) assert.fail(String(value));
    }, /locked/);
    assert.match(String((await client.call(locked())).data), /locked/);
  }));

test("a source of which a value cannot be sent is told that no more of it is wanted", () =>
  inArena(async (arena) => {
    let isLeft = false;
    await arena.serve(async function* () {
      try {
        yield 1;
        yield "x".repeat(arena.maxEnvelopeBytes);
      } finally {
        isLeft = true;
      }
    });
    const { data } = await (await arena.connect()).call<AsyncIterable<unknown>>();
    await assert.rejects(async () => {
      for await (const value of data) assert.equal(value, 1);
    });
    await until(() => isLeft);
  }));

test("a stream whose first value came in time may last longer than the timeout of its call", () =>
  inArena(async (arena) => {
    let goOn: () => void = () => assert.fail("it has not begun");
    await arena.serve(async function* () {
      yield 1;
      await new Promise<void>((resolve) => (goOn = resolve));
      yield 2;
    });
    const client = await arena.connect();
    const { data } = await client.call<AsyncIterable<number>>(null, { timeoutMs: 500 });
    // Timers of one process come in order.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    goOn();
    const values: number[] = [];
    for await (const value of data) values.push(value);
    assert.deepEqual(values, [1, 2]);
  }));

function locked(): ReadableStream {
  const stream = new ReadableStream();
  stream.getReader();
  return stream;
}
