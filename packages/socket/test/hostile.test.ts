import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isBusError } from "@agentbus/core";
import { envelope } from "./support/envelope.js";
import { inArena } from "./support/socket-arena.js";
import { until } from "./support/until.js";

const HELLO = 'H0 {"agentbus":1,"room":1000000}\n';

const refused = (stats: { readonly refused: Record<string, number> }) =>
  Object.values(stats.refused).reduce((total, count) => total + count, 0);

/** What comes at a hostile client, to its end. */
function heard(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return once(socket, "close").then(() => text);
}

test("whatever is no frame, or no frame that a client sends, ends its connection with a reason, and no other", () =>
  inArena(async (arena) => {
    const server = await arena.serve(({ data }) => data, { onRefused: () => undefined });
    const neighbour = await arena.connect();
    const attacks = [
      "",
      "GET / HTTP/1.1\r\n\r\n",
      'H0 {"agentbus":2,"room":1}\n',
      'H0 {"agentbus":1,"room":-1}\n',
      "H0 null\n",
      `${HELLO}${HELLO}`,
      `${HELLO}Z0 {}\n`,
      `${HELLO}C0 ${envelope(arena)}\n`,
      `${HELLO}C99999999999 ${envelope(arena)}\n`,
      `${HELLO}C1\n`,
      `${HELLO}A1 ${envelope(arena)}\n`,
      `${HELLO}W0 -5\n`,
      `${HELLO}W0 many\n`,
      `${HELLO}\n`,
      `${HELLO}${"C".repeat(5_000_000)}`,
    ].slice(1);
    for (const [index, attack] of attacks.entries()) {
      const socket = await arena.raw("");
      const hearing = heard(socket);
      socket.write(attack);
      assert.match(
        await hearing,
        /^H0 [^\n]*\nX0 \{"code":"ERR_ENVELOPE_INVALID","message":"[ -~]+"\}\n$/,
        attack.slice(0, 60),
      );
      assert.equal(refused(server.stats), index + 1, attack.slice(0, 60));
      assert.equal((await neighbour.call(index)).data, index);
    }
    assert.deepEqual(Object.keys(server.stats.refused).sort(), ["bad-frame", "too-large"]);
  }));

test("a call whose envelope is refused is answered with the reason, and the connection goes on", () =>
  inArena(async (arena) => {
    const server = await arena.serve(({ data }) => data, { onRefused: () => undefined });
    const socket = await arena.raw();
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    socket.write(`C1 {"no":"envelope"}\nC2 ${envelope(arena, { to: "@somebody" })}\nC3 ${envelope(arena)}\n`);
    await until(() => /^A3 /m.test(text));
    assert.match(text, /^A1 .*"replyerror":"the call was refused: invalid-envelope/m);
    assert.match(text, /^A2 .*"replyerror":"the call was refused: not-for-this-subscription/m);
    assert.deepEqual(server.stats.refused, { "invalid-envelope": 1, "not-for-this-subscription": 1 });
  }));

test("one that sends more than it was given room for is cut off", () =>
  inArena(async (arena) => {
    const server = await arena.serve(() => new Promise(() => undefined), { onRefused: () => undefined });
    for (const [first, kind] of [
      ["", "I0"],
      [`S1 ${envelope(arena)}\n`, "I1"],
    ] as const) {
      const socket = await arena.raw();
      const hearing = heard(socket);
      const item = `${kind} ${envelope(arena, { data: "x".repeat(60_000) })}\n`;
      socket.write(first + item.repeat(20));
      assert.match(await hearing, /more than there is room for/);
    }
    const socket = await arena.raw();
    const hearing = heard(socket);
    socket.write(Array.from({ length: 300 }, (_, i) => `C${i + 1} ${envelope(arena)}\n`).join(""));
    assert.match(await hearing, /more than 256 calls at a time/);
    assert.equal(server.stats.refused["bad-frame"], 3);
  }));

test("one that asks much and reads nothing is not read any more, and its neighbour is answered", () =>
  inArena(async (arena) => {
    let made = 0;
    const answer = "x".repeat(500_000);
    await arena.serve(({ data }) => {
      if (data !== "big") return data;
      made++;
      return answer;
    });
    const neighbour = await arena.connect();
    const socket = await arena.raw();
    socket.pause();
    const questions = Array.from({ length: 2_000 }, (_, i) => `C${i + 1} ${envelope(arena, { data: "big" })}\n`);
    socket.write(questions.join(""));
    await until(() => made > 0);
    for (let i = 0; i < 200; i++) assert.equal((await neighbour.call(i)).data, i);
    assert.ok(made < 20, `${made} answers of half a megabyte were made for somebody who reads none`);
    let heardBytes = 0;
    socket.on("data", (chunk: Buffer) => (heardBytes += chunk.length));
    socket.resume();
    await until(() => heardBytes > 20 * answer.length);
    assert.ok(made > 20, "it is answered again when it reads");
    socket.destroy();
  }));

test("one that connects and says nothing is no obstacle, and an account has so many connections at most", () =>
  inArena(async (arena) => {
    const server = await arena.serve(({ data }) => data, { maxConnectionsPerUser: 4, onRefused: () => undefined });
    const silent = await Promise.all([arena.raw(""), arena.raw(""), arena.raw("")]);
    const client = await arena.connect();
    assert.equal((await client.call("x")).data, "x");
    await assert.rejects(arena.connect(), (error) => isBusError(error) && error.code === "ERR_BUSY");
    assert.deepEqual(server.stats.refused, { "too-many": 1 });
    for (const socket of silent) socket.destroy();
    await until(() => server.peers.length === 1);
    assert.equal((await (await arena.connect()).call("y")).data, "y");
  }));

test("answers that nobody takes are not made either where handlers take their time", () =>
  inArena(async (arena) => {
    let made = 0;
    const answer = "x".repeat(500_000);
    await arena.serve(async ({ data }) => {
      await new Promise((resolve) => setImmediate(resolve));
      if (data !== "big") return data;
      made++;
      return answer;
    });
    const neighbour = await arena.connect();
    const socket = await arena.raw();
    socket.pause();
    const questions = Array.from({ length: 250 }, (_, i) => `C${i + 1} ${envelope(arena, { data: "big" })}\n`);
    socket.write(questions.join(""));
    await until(() => made > 0);
    for (let i = 0; i < 200; i++) assert.equal((await neighbour.call(i)).data, i);
    // Those that ran side by side when it was seen that it takes none, and a few before them.
    assert.ok(made < 40, `${made} answers of half a megabyte were made for somebody who reads none`);
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString().replaceAll("x", "")));
    socket.resume();
    await until(() => (text.match(/^A\d+ /gm)?.length ?? 0) === questions.length);
  }));

test("one that goes without having taken its answers leaves nothing behind that its server is busy with", () =>
  inArena(async (arena) => {
    const server = await arena.serve(async ({ data }) => {
      await new Promise((resolve) => setImmediate(resolve));
      return data === "big" ? "x".repeat(500_000) : data;
    });
    const neighbour = await arena.connect();
    const socket = await arena.raw();
    socket.pause();
    const questions = Array.from({ length: 250 }, (_, i) => `C${i + 1} ${envelope(arena, { data: "big" })}\n`);
    socket.write(questions.join(""));
    await until(() => server.stats.answered > 2);
    for (let i = 0; i < 100; i++) assert.equal((await neighbour.call(i)).data, i);
    socket.destroy();
    await until(() => server.peers.length === 1);
    for (let i = 0; i < 100; i++) assert.equal((await neighbour.call(i)).data, i);
  }));

test("one that takes its answers slowly gets all of them, however often it is waited for", () =>
  inArena(async (arena) => {
    const answer = "x".repeat(500_000);
    await arena.serve(() => answer);
    const socket = await arena.raw();
    socket.pause();
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString().replaceAll("x", "")));
    const answers = () => text.match(/^A\d+ /gm)?.length ?? 0;
    socket.write(Array.from({ length: 100 }, (_, i) => `C${i + 1} ${envelope(arena)}\n`).join(""));
    socket.resume();
    await until(() => answers() === 100);
    socket.write(`C1 ${envelope(arena)}\n`);
    await until(() => answers() === 101);
  }));

test("calls that are given up at once take no more of the server's memory than calls may", () =>
  inArena(async (arena) => {
    await arena.serve(() => new Promise(() => undefined));
    const socket = await arena.raw();
    const text = envelope(arena);
    let number = 0;
    // 64 MiB for an account, and at least 1 KiB for each message.
    const most = 80_000;
    const isRead = () => {
      const calls = Array.from({ length: 1_000 }, () => `C${++number} ${text}\nK${number}\n`);
      return new Promise<boolean>((resolve) => {
        const timer = setInterval(() => resolve(false), 500);
        socket.write(calls.join(""), () => (clearInterval(timer), resolve(true)));
      });
    };
    while (await isRead()) assert.ok(number < most, `${number} calls that nobody waits for are kept`);
  }));

test("however many connect at once, who is turned away is told that there are too many, and what helps", () =>
  inArena(async (arena) => {
    const server = await arena.serve(({ data }) => data, { maxConnectionsPerUser: 4, onRefused: () => undefined });
    const bus = await arena.bus();
    const outcomes = await Promise.allSettled(Array.from({ length: 200 }, () => bus.connect(arena.address)));
    const turnedAway = outcomes.filter((outcome) => outcome.status === "rejected");
    assert.equal(turnedAway.length, 196);
    for (const { reason } of turnedAway) {
      assert.ok(isBusError(reason) && reason.code === "ERR_BUSY", String(reason));
      assert.match(reason.message, /this account has 4 connections to it already/);
      assert.match(reason.fix ?? "", /^close connections .*maxConnectionsPerUser$/);
    }
    assert.deepEqual(server.stats.refused, { "too-many": 196 });
  }));

test("a connection that its server closes without a word says what may be wrong", () =>
  inArena(async (arena) => {
    const bus = await arena.bus();
    // Makes the directory.
    await bus.serve("other", () => 1);
    const foreign = createServer((socket) => socket.destroy()).listen(arena.path);
    await once(foreign, "listening");
    try {
      await assert.rejects(
        async () => await bus.connect(arena.address),
        (error) => {
          assert.ok(isBusError(error) && error.code === "ERR_NO_PEER");
          assert.match(error.message, /closed the connection without a word/);
          assert.match(error.fix ?? "", /^try again/);
          return true;
        },
      );
    } finally {
      foreign.close();
    }
  }));

test("of connections without end that do not go when they are turned away, all are told why, and only some are kept meanwhile", () =>
  inArena(async (arena) => {
    const server = await arena.serve(({ data }) => data, { maxConnectionsPerUser: 4, onRefused: () => undefined });
    let [ended, told] = [0, 0];
    const sockets = Array.from({ length: 300 }, () => {
      const socket = createConnection({ path: arena.path, allowHalfOpen: true });
      socket.on("data", (chunk: Buffer) => (told += chunk.toString().startsWith("X0") ? 1 : 0));
      socket.on("end", () => ended++);
      return socket.on("error", () => undefined);
    });
    await until(() => ended === 296);
    assert.equal(server.stats.refused["too-many"], 296);
    assert.equal(told, 296);
    for (const socket of sockets) socket.destroy();
  }));

test("code of the server's own that throws on a refusal, or on the failure of a handler, does not end it", () =>
  inArena(async (arena) => {
    const warnings: string[] = [];
    const listen = ({ message }: Error) => void warnings.push(message);
    process.on("warning", listen);
    try {
      const fails = () => {
        throw new Error("of its own");
      };
      await arena.serve(
        ({ data, isCall }) => {
          if (!isCall) throw new Error("no");
          return data;
        },
        { onRefused: fails, onError: fails, concurrency: 1 },
      );
      const client = await arena.connect();
      (await arena.raw()).write("I0 {}\nZ0\n");
      await client.send(1);
      assert.equal((await client.call(2)).data, 2);
      await until(() => warnings.filter((text) => text.includes("of its own")).length >= 3);
    } finally {
      process.off("warning", listen);
    }
  }));

test("however much comes from one account, everybody else has a turn after a part of it", () =>
  inArena(async (arena) => {
    let turn = 0;
    const perTurn = new Map<number, number>();
    const count = () => void perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1);
    let clock = setImmediate(function next() {
      turn++;
      clock = setImmediate(next);
    });
    try {
      const server = await arena.serve(count, { onRefused: count });
      for (const [frame, most] of [
        ['I0 {"no":"envelope"}\n', 100],
        [`I0 ${envelope(arena)}\n`, 600],
      ] as const) {
        perTurn.clear();
        const sockets = await Promise.all(Array.from({ length: 10 }, () => arena.raw()));
        const before = server.stats.delivered + refused(server.stats);
        for (const socket of sockets) socket.write(frame.repeat(1_000));
        await until(() => server.stats.delivered + refused(server.stats) === before + 10_000);
        assert.ok(Math.max(...perTurn.values()) <= most, `${Math.max(...perTurn.values())} in one turn`);
      }
    } finally {
      clearImmediate(clock);
    }
  }));

test("frames that ask for nothing, such as room and cancellations, have no longer turns than others", () =>
  inArena(async (arena) => {
    let turn = 0;
    let clock = setImmediate(function next() {
      turn++;
      clock = setImmediate(next);
    });
    try {
      const server = await arena.serve(({ data }) => data);
      for (const frame of ["W1 1\n", "K1\n", "E1\n", "I1 x\n"]) {
        const sockets = await Promise.all(Array.from({ length: 20 }, () => arena.raw()));
        const { answered } = server.stats;
        const before = turn;
        for (const socket of sockets) socket.write(`${frame.repeat(10_000)}C9 ${envelope(arena)}\n`);
        await until(() => server.stats.answered === answered + sockets.length);
        // 2,048 in each, and what comes with it.
        assert.ok(turn - before >= 50, `${turn - before} turns for 200,000 of ${frame}`);
        for (const socket of sockets) socket.destroy();
      }
      assert.deepEqual(server.stats.refused, {});
    } finally {
      clearImmediate(clock);
    }
  }));

test("frames that wait behind one whose answer is not taken need no more memory than their bytes, however short they are", () =>
  inArena(async (arena) => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const used = () => (collect(), process.memoryUsage().heapUsed);
    const server = await arena.serve(() => "x".repeat(1_500_000));
    const sockets = await Promise.all(Array.from({ length: 20 }, () => arena.raw()));
    await until(() => server.peers.length === sockets.length);
    const before = used();
    // The second call waits for the first one's answer to be taken; what comes with it waits behind it.
    const frames = `C1 ${envelope(arena)}\nC2 ${envelope(arena)}\n${"W1 1\n".repeat(12_000)}`;
    for (const socket of sockets) socket.pause().write(frames);
    await until(() => server.stats.answered === sockets.length);
    const each = (used() - before) / sockets.length;
    assert.ok(each < 300_000, `${Math.round(each)} bytes for each connection`);
  }));
