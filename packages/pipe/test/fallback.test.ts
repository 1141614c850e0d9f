import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { isBusError, type ChannelMessage } from "@agentbus/core";
import { inArena, until } from "./support/stage.js";

function code(error: unknown): unknown {
  return isBusError(error) ? error.code : error;
}

test('where nobody receives, "fail" throws ERR_NO_PEER at once, and works as soon as somebody does', () =>
  inArena(async (arena) => {
    const pipe = await arena.send({ fallback: "fail" });
    await assert.rejects(pipe.send(1), (error) => code(error) === "ERR_NO_PEER");
    const end = await arena.receive();
    await pipe.send(2);
    for await (const { data } of end) {
      assert.equal(data, 2);
      break;
    }
    await assert.rejects(
      (async () => {
        for (;;) await pipe.send(3);
      })(),
      (error) => code(error) === "ERR_NO_PEER",
    );
  }));

test('where nobody receives, "wait" waits, no longer than timeoutMs, and leaves nothing in the drop box', () =>
  inArena(async (arena) => {
    await (await arena.receive()).close();
    const patient = await arena.send();
    const impatient = await arena.send({ timeoutMs: 300 });
    const waiting = patient.send("waited");
    await assert.rejects(impatient.send("never"), (error) => code(error) === "ERR_TIMEOUT");
    await until(() => fs.readdirSync(arena.boxDir).length === 1, "only the patient one's pipe is left");
    const end = await arena.receive();
    for await (const { data } of end) {
      assert.equal(data, "waited");
      break;
    }
    await waiting;
    await patient.close();
    await until(() => fs.readdirSync(arena.boxDir).length === 0, "the drop box is empty");
    assert.equal(patient.state, "closed");
  }));

test("an agent whose name nobody has is an error at once, whatever the fallback", () =>
  inArena(async (arena) => {
    const bus = await arena.bus();
    for (const fallback of ["wait", "fail", "spool"] as const) {
      await assert.rejects(
        bus.pipe("@nobody-of-that-name", { fallback }),
        (error) => code(error) === "ERR_ADDRESS_UNKNOWN",
      );
    }
    await assert.rejects(bus.pipe("@root", { fallback: "never" as never }), TypeError);
  }));

test('with "spool", messages go to the inbox while nobody receives, and through the pipe once all of those are acknowledged: handled in the order in which they were sent', () =>
  inArena(async (arena) => {
    const pipe = await arena.send({ fallback: "spool" });
    const handled: unknown[] = [];
    for (let i = 0; i < 20; i++) await pipe.send(i);
    assert.equal(pipe.state, "spooling");
    assert.deepEqual({ spooled: pipe.stats.spooled, sent: pipe.stats.sent }, { spooled: 20, sent: 0 });

    const receiver = await arena.bus();
    const pipes = await receiver.pipes(({ data }) => void handled.push(data));
    // It receives pipes by now, but has not read its inbox: what is sent still goes there.
    for (let i = 20; i < 40; i++) await pipe.send(i);
    assert.equal(pipe.stats.spooled, 40);

    await receiver.subscribe(`@${arena.user}`, ({ data }) => void handled.push(data));
    for (let i = 40; pipe.stats.sent < 20; i++) {
      await pipe.send(i);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const total = pipe.stats.spooled + pipe.stats.sent;
    await until(() => handled.length >= total, "everything is handled");

    const { spooled } = pipe.stats;
    // The receiver goes, and the sender takes the other way again.
    await pipes.drain();
    for (let i = total; pipe.stats.spooled === spooled; i++) await pipe.send(i);
    const all = pipe.stats.spooled + pipe.stats.sent;
    await until(() => handled.length >= all, "everything is handled");
    assert.deepEqual(
      handled,
      Array.from({ length: all }, (_, i) => i),
    );
  }));

test("what was in the pipe when its receiver was closed is sent again, first and in order, and what that had taken out is not", () =>
  inArena(async (arena) => {
    const pipe = await arena.send();
    const end = await arena.receive();
    const iterator = end[Symbol.asyncIterator]();
    const first = iterator.next();
    await pipe.send({ i: 0 });
    await first;
    const total = 1_000;
    const sending = Array.from({ length: total - 1 }, (_, i) => pipe.send({ i: i + 1, pad: "p".repeat(1_000) }));
    let still = 0;
    for (let last = -1; still < 20; await new Promise((resolve) => setTimeout(resolve, 5))) {
      still = last === pipe.stats.sent ? still + 1 : 0;
      last = pipe.stats.sent;
    }
    const accepted = pipe.stats.sent;
    assert.ok(accepted < total, "it is full");
    await end.close();
    const successor = await arena.receive();
    const got: number[] = [];
    for await (const { data } of successor) if (got.push((data as { i: number }).i) && got.at(-1) === total - 1) break;
    await Promise.all(sending);
    const [from = 0] = got;
    assert.deepEqual(
      got,
      Array.from({ length: total - from }, (_, i) => from + i),
    );
    assert.ok(from > 1, "what had been read ahead is gone");
    assert.ok(
      from <= accepted - 40,
      `of ${accepted} that were accepted, those from ${from} on came again: a pipe holds 60`,
    );
  }));

test("a receiver that drains hands out what is in the pipe, also when its sender has gone", () =>
  inArena(async (arena) => {
    const end = await arena.receive();
    const iterator = end[Symbol.asyncIterator]();
    const pipe = await arena.send();
    await pipe.send(0);
    assert.equal((await iterator.next()).value?.data, 0);
    const sending = Promise.all([1, 2, 3, 4, 5].map((i) => pipe.send({ i, pad: "p".repeat(10_000) })));
    await Promise.all([sending, pipe.drain()]);
    const draining = end.drain();
    for (let i = 1; i <= 5; i++) {
      const { value } = await iterator.next();
      assert.equal((value?.data as { i: number } | undefined)?.i, i);
    }
    assert.equal((await iterator.next()).done, true);
    await draining;
    assert.deepEqual(end.stats, { delivered: 6, refused: {}, expired: 0 });
  }));

test("when a bus drains, what its handlers send through pipes is still sent", () =>
  inArena(async (arena) => {
    const relay = await arena.bus();
    const onward = await relay.pipe(`@${arena.user}`);
    const handled: unknown[] = [];
    let release!: () => void;
    const isReleased = new Promise<void>((resolve) => (release = resolve));
    await relay.subscribe("start", { durable: "relay" }, async ({ data }) => {
      handled.push(data);
      await isReleased;
      await onward.send(data);
    });
    const end = await arena.receive();
    await (await arena.bus()).publish("start", "relayed");
    await until(() => handled.length === 1, "it is being handled");
    const draining = relay.drain();
    release();
    for await (const { data } of end) {
      assert.equal(data, "relayed");
      break;
    }
    await draining;
  }));

test("what a receiver had not read when it was closed is sent to its successor, by whichever way, and nothing twice", () =>
  inArena(async (arena) => {
    const pipe = await arena.send({ fallback: "spool" });
    const end = await arena.receive();
    const iterator = end[Symbol.asyncIterator]();
    await pipe.send(0);
    const first = (await iterator.next()).value as ChannelMessage;
    assert.equal(first.data, 0);
    // Small ones: all of them find room in the pipe, and in what its receiver has read ahead.
    for (let i = 1; i < 50; i++) await pipe.send(i);
    assert.equal(pipe.stats.sent, 50);
    await end.close();
    const inbox: unknown[] = [];
    await (await arena.bus()).subscribe(`@${arena.user}`, ({ data }) => void inbox.push(data));
    await pipe.send(50);
    await until(() => inbox.at(-1) === 50, "the last one came by the spool");
    // What the receiver had taken out of the pipe is gone with it: the beginning, and nothing in between.
    const from = inbox[0] as number;
    assert.deepEqual(
      inbox,
      Array.from({ length: 51 - from }, (_, i) => from + i),
    );
  }));
