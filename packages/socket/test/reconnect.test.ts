import assert from "node:assert/strict";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { isBusError } from "@agentbus/core";
import { HELLO_OF_SERVER, imposter } from "./support/imposter.js";
import { inArena, type SocketArena } from "./support/socket-arena.js";
import { until } from "./support/until.js";

const codeOf = (error: unknown) => (isBusError(error) ? error.code : String(error));

/** A server in a process of its own, which doubles numbers; one that is asked for -1 kills it. */
async function server(arena: SocketArena, ...args: string[]) {
  const child = arena.child("server", ...args);
  if (child.stdout === null) throw new Error("no stdout");
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  assert.equal(line, "ready");
  return child;
}

test("a call that was not answered when its server died fails and says so; an idempotent one is made again by itself", () =>
  inArena(async (arena) => {
    const first = await server(arena, "silent");
    const client = await arena.connect();
    const calls = [client.call(1), client.call(2, { idempotent: true }), client.call(3)];
    const outcomes = Promise.allSettled(calls);
    await until(() => client.state === "connected");
    first.kill("SIGKILL");
    await once(first, "exit");
    await server(arena);
    const [one, two, three] = await outcomes;
    for (const outcome of [one, three]) {
      assert.ok(outcome?.status === "rejected" && codeOf(outcome.reason) === "ERR_NO_PEER");
      assert.match(String(outcome.reason), /nobody knows how far the call got/);
    }
    assert.ok(two?.status === "fulfilled" && two.value.data === 4);
    assert.equal((await client.call(5)).data, 10, "the connection was made again");
  }));

test("a client whose server does not come back gives up in time, and fails what waits", () =>
  inArena(async (arena) => {
    const first = await server(arena, "silent");
    const client = await arena.connect({ reconnectMs: 50 });
    const calls = [client.call(1), client.call(2, { idempotent: true })];
    const outcomes = Promise.allSettled(calls);
    first.kill("SIGKILL");
    for (const outcome of await outcomes) {
      assert.ok(outcome.status === "rejected" && codeOf(outcome.reason) === "ERR_NO_PEER");
    }
    await until(() => client.state === "closed");
    await assert.rejects(client.call(3), (error) => codeOf(error) === "ERR_NO_PEER");
  }));

test("a server that drains answers what is under way; what comes later waits for the next one, and nothing is lost", () =>
  inArena(async (arena) => {
    let release: (() => void) | undefined;
    const first = await arena.serve(async ({ data }) => {
      if (data === "slow") await new Promise<void>((resolve) => (release = resolve));
      return `first ${String(data)}`;
    });
    const client = await arena.connect();
    const slow = client.call("slow");
    await until(() => release !== undefined);
    const draining = first.drain();
    const second = await arena.serve(({ data }) => `second ${String(data)}`);
    const later = new Promise((resolve) => setImmediate(resolve)).then(() => client.call("later"));
    release?.();
    assert.equal((await slow).data, "first slow");
    assert.match(String((await later).data), /later$/);
    await draining;
    assert.equal((await client.call("last")).data, "second last");
    await second.close();
  }));

test("what comes after a server has begun to drain is answered by the next one, however long the first has to work", () =>
  inArena(async (arena) => {
    const held: { goOn?: () => void } = {};
    const first = await arena.serve(async ({ data, peer }) => {
      await new Promise<void>((resolve) => (held.goOn = resolve));
      await peer.send("from the first");
      return `first ${String(data)}`;
    });
    const client = await arena.connect();
    const slow = client.call("slow");
    await until(() => held.goOn !== undefined);
    const draining = first.drain();
    const second = await arena.serve(async ({ data, peer }) => {
      await peer.send("from the second");
      return `second ${String(data)}`;
    });
    await until(() => second.peers.length === 1);
    assert.equal((await client.call("later")).data, "second later");
    held.goOn?.();
    assert.equal((await slow).data, "first slow");
    await draining;
    const pushed: unknown[] = [];
    for await (const { data } of client) if (pushed.push(data) === 2) break;
    assert.deepEqual(pushed, ["from the second", "from the first"]);
    await second.close();
  }));

test("a client whose server drains and has no successor is answered what is under way, and fails what comes later", () =>
  inArena(async (arena) => {
    const held: { goOn?: () => void } = {};
    const only = await arena.serve(async () => {
      await new Promise<void>((resolve) => (held.goOn = resolve));
      return "done";
    });
    const client = await arena.connect({ reconnectMs: 50 });
    const slow = client.call();
    await until(() => held.goOn !== undefined);
    const draining = only.drain();
    await until(() => client.state === "closed");
    await assert.rejects(client.call(), (error) => codeOf(error) === "ERR_NO_PEER");
    held.goOn?.();
    assert.equal((await slow).data, "done");
    await draining;
  }));

test("a server that lets everybody in and closes at once is not connected to without a pause", () =>
  inArena(async (arena) => {
    let connections = 0;
    const began = performance.now();
    const fickle = await imposter(arena, (socket) => {
      connections++;
      socket.write(HELLO_OF_SERVER);
      socket.once("data", () => socket.end());
    });
    const client = await arena.connect();
    await until(() => connections === 8);
    // Half of 5 + 10 + 20 + 40 + 80 + 160 ms, at the least.
    assert.ok(performance.now() - began > 150, "pauses that grow");
    await client.close();
    fickle.close();
  }));

test("a connection and a thousand calls, with a server that is killed and started again: each is answered or failed, none hangs", () =>
  inArena(async (arena) => {
    let current = await server(arena);
    const clients = await Promise.all(Array.from({ length: 50 }, () => arena.connect({ timeoutMs: 20_000 })));
    const counts = { answered: 0, lost: 0 };
    const load = clients.map(async (client, name) => {
      for (let i = 0; i < 400; i++) {
        const number = name * 1_000 + i;
        const isIdempotent = i % 2 === 0;
        try {
          const { data } = await client.call<number>(number, { idempotent: isIdempotent });
          assert.equal(data, 2 * number);
          counts.answered++;
        } catch (error) {
          assert.equal(codeOf(error), "ERR_NO_PEER");
          assert.equal(isIdempotent, false, "what may be done twice is answered in the end");
          counts.lost++;
        }
      }
    });
    const loaded = Promise.all(load);
    for (const atLeast of [2_000, 8_000]) {
      await until(() => counts.answered >= atLeast);
      current.kill("SIGKILL");
      await once(current, "exit");
      current = await server(arena);
    }
    await loaded;
    assert.equal(counts.answered + counts.lost, 20_000);
    assert.ok(counts.answered > 19_000, JSON.stringify(counts));
  }));
