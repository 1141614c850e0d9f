import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { isBusError, type SocketMessage, type SocketServer } from "@agentbus/core";
import { envelope } from "./support/envelope.js";
import { HELLO_OF_SERVER, imposter } from "./support/imposter.js";
import { inArena, type SocketArena } from "./support/socket-arena.js";
import { until } from "./support/until.js";

/** Longer than any test: what waits for it has not waited for what it should. */
const FOREVER_MS = 2_000_000_000;

const failsWith = (code: string) => (error: unknown) => isBusError(error) && error.code === code;

/** Whether a promise has been fulfilled. */
function watch(promise: Promise<unknown>): { isDone: boolean } {
  const state = { isDone: false };
  void promise.then(() => (state.isDone = true));
  return state;
}

type Begin = (arena: SocketArena, server: SocketServer) => Promise<unknown>;

const SILENCES: readonly (readonly [what: string, begin: Begin])[] = [
  ["says nothing at all", (arena) => arena.raw("")],
  ["says hello and nothing more", (arena) => arena.raw()],
  ["was answered, and stays", async (arena) => (await arena.raw()).write(`C1 ${envelope(arena, { data: 1 })}\n`)],
  [
    "does not read its answer",
    async (arena) => (await arena.raw()).pause().write(`C1 ${envelope(arena, { data: "big" })}\n`),
  ],
  [
    "asks on without reading its answers",
    async (arena) => {
      const questions = Array.from({ length: 200 }, (_, i) => `C${i + 1} ${envelope(arena, { data: "big" })}\n`);
      (await arena.raw()).pause().write(questions.join(""));
    },
  ],
  [
    "does not read the stream that it asked for",
    async (arena) =>
      (await arena.raw('H0 {"agentbus":1,"room":1}\n')).write(`C1 ${envelope(arena, { data: "stream" })}\n`),
  ],
  [
    "does not go on with the stream that it began",
    async (arena) => (await arena.raw()).write(`S1 ${envelope(arena, { data: null })}\n`),
  ],
  [
    "does not take what the handler sends to it",
    async (arena, server) => {
      (await arena.raw('H0 {"agentbus":1,"room":1}\n')).write(`C1 ${envelope(arena, { data: "push" })}\n`);
      await until(() => server.stats.pushed === 1);
    },
  ],
];

describe("a server that drains", { concurrency: true }, () => {
  for (const [what, begin] of SILENCES) {
    test(`does not wait for a client that ${what}, but for the calls of others`, () =>
      inArena(async (arena) => {
        let release: (() => void) | undefined;
        const server = await arena.serve(async ({ data, peer }: SocketMessage) => {
          if (data === "slow") await new Promise<void>((resolve) => (release = resolve));
          if (data === "big") return "x".repeat(1_500_000);
          if (data === "push") for (let i = 0; i < 3; i++) await peer.send(i);
          if (data === "stream") return endless();
          if (typeof data === "object" && data !== null) for await (const _ of data as AsyncIterable<unknown>);
          return data;
        });
        const neighbour = await arena.connect();
        const slow = neighbour.call("slow");
        await begin(arena, server);
        await until(() => release !== undefined && server.peers.length === 2);
        const drained = watch(server.drain({ timeoutMs: FOREVER_MS }));
        await until(() => server.peers.length === 1);
        assert.equal(drained.isDone, false);
        release?.();
        assert.equal((await slow).data, "slow");
        await until(() => drained.isDone);
      }));
  }
});

test("a server that drains waits for a call whose handler takes its time, and for a stream that is read", () =>
  inArena(async (arena) => {
    let goOn: (() => void) | undefined;
    const server = await arena.serve(async function* () {
      for (let i = 0; i < 3; i++) {
        yield i;
        await new Promise<void>((resolve) => (goOn = resolve));
        goOn = undefined;
      }
    });
    const { data } = await (await arena.connect()).call<AsyncIterable<number>>();
    const drained = watch(server.drain({ timeoutMs: FOREVER_MS }));
    const values: number[] = [];
    for await (const value of data) {
      values.push(value);
      await until(() => goOn !== undefined);
      // More looks than an idle client is granted; timers of one process come in order.
      if (value === 0) await new Promise((resolve) => setTimeout(resolve, 1_500));
      assert.equal(drained.isDone, false);
      goOn?.();
    }
    assert.deepEqual(values, [0, 1, 2]);
    await until(() => drained.isDone);
  }));

test("a handler can send to whoever called it while its server drains", () =>
  inArena(async (arena) => {
    let goOn: (() => void) | undefined;
    const server = await arena.serve(async ({ peer }) => {
      await new Promise<void>((resolve) => (goOn = resolve));
      await peer.send("nearly done");
      return "done";
    });
    const client = await arena.connect();
    const call = client.call();
    await until(() => goOn !== undefined);
    const drained = watch(server.drain({ timeoutMs: FOREVER_MS }));
    goOn?.();
    assert.equal((await call).data, "done");
    for await (const { data } of client) {
      assert.equal(data, "nearly done");
      break;
    }
    await until(() => drained.isDone);
  }));

test("a client that is let in while its server begins to drain does not hold it up, and finds the next one", () =>
  inArena(async (arena) => {
    const first = await arena.serve(() => "first");
    const bus = await arena.bus();
    const connecting = Array.from({ length: 20 }, () => bus.connect(arena.address, { waitMs: 30_000 }));
    await until(() => first.stats.connections > 0);
    const drained = watch(first.drain({ timeoutMs: FOREVER_MS }));
    await until(() => drained.isDone);
    await arena.serve(() => "second");
    for (const client of await Promise.all(connecting)) assert.equal((await client.call()).data, "second");
  }));

test("a server that says in one breath that it is there and about to go is not connected to", () =>
  inArena(async (arena) => {
    const server = await imposter(arena, (socket) => socket.write(`${HELLO_OF_SERVER}G0\n`));
    const bus = await arena.bus();
    await assert.rejects(
      async () => await bus.connect(arena.address),
      (error) => failsWith("ERR_NO_PEER")(error) && /about to go/.test(String(error)),
    );
    const connecting = bus.connect(arena.address, { waitMs: 30_000 });
    server.close();
    await once(server, "close");
    await arena.serve(() => "the next one");
    assert.equal((await (await connecting).call()).data, "the next one");
  }));

async function* endless(): AsyncGenerator<string> {
  for (;;) yield "x".repeat(1_000);
}
