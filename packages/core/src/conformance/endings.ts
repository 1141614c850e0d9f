import assert from "node:assert/strict";
import { test } from "node:test";
import { isBusError } from "../errors.js";
import type { ChannelDriver } from "./driver.js";
import { inArena, Taker } from "./stage.js";

const MESSAGES = 300;

/** How ends are closed, and what becomes of what is on its way. */
export function testEndings(driver: ChannelDriver): void {
  test("a sender that drains has everything delivered that it was handed", () =>
    inArena(driver, async (arena) => {
      const taker = await Taker.open(arena);
      const sender = await arena.send();
      const sending = Array.from({ length: MESSAGES }, (_, i) => sender.send({ i, pad: "p".repeat(1_000) }));
      await sender.drain();
      await Promise.all(sending);
      await taker.until(MESSAGES);
      assert.equal(taker.messages.length, MESSAGES);
    }));

  test("a sender that is closed refuses with ERR_CLOSED; what it had sent arrives, what it refused does not", () =>
    inArena(driver, async (arena) => {
      const taker = await Taker.open(arena);
      const sender = await arena.send();
      await sender.send("before");
      const sending = Array.from({ length: MESSAGES }, (_, i) => sender.send(i));
      const closing = sender.close();
      const outcomes = await Promise.allSettled(sending);
      await closing;
      await sender.close();
      await assert.rejects(sender.send("after"), closed);
      const sent = outcomes.flatMap((outcome, i) => (outcome.status === "fulfilled" ? [i] : []));
      for (const outcome of outcomes) if (outcome.status === "rejected") assert.ok(closed(outcome.reason));
      await taker.until(sent.length + 1);
      const other = await arena.send();
      await other.send("the end");
      await taker.until(sent.length + 2);
      assert.deepEqual(taker.data, ["before", ...sent, "the end"]);
    }));

  test("a receiver that drains hands out what has come in, and ends its loop", () =>
    inArena(driver, async (arena) => {
      const taker = await Taker.open(arena);
      const sender = await arena.send();
      for (let i = 0; i < MESSAGES; i++) await sender.send(i);
      await taker.until(1);
      await taker.end.drain();
      await taker.ended;
      const successor = await Taker.open(arena);
      await sender.send("to the successor");
      await successor.until(1);
      while (successor.data.at(-1) !== "to the successor") await successor.until(successor.messages.length + 1);
      const all = [...taker.data, ...successor.data];
      assert.deepEqual(all, [...Array.from({ length: MESSAGES }, (_, i) => i), "to the successor"]);
    }));

  test("leaving the loop closes the receiver, and another can be opened", () =>
    inArena(driver, async (arena) => {
      const end = await arena.receive();
      const sender = await arena.send();
      const sending = sender.send("one");
      for await (const message of end) {
        await message.ack();
        break;
      }
      await sending;
      const taker = await Taker.open(arena);
      await sender.send("two");
      await taker.until(1);
      assert.deepEqual(taker.data, ["two"]);
    }));

  test("an aborted signal ends a receiver, and refuses a message with its own reason", () =>
    inArena(driver, async (arena) => {
      const aborting = new AbortController();
      const taker = await Taker.open(arena, aborting.signal);
      const sender = await arena.send();
      await sender.send("before");
      await taker.until(1);
      const reason = new Error("enough");
      await assert.rejects(sender.send("never", { signal: AbortSignal.abort(reason) }), (error) => error === reason);
      aborting.abort();
      await taker.ended;
      const successor = await Taker.open(arena);
      await sender.send("after");
      await successor.until(1);
      assert.deepEqual(successor.data, ["after"]);
    }));
}

function closed(error: unknown): boolean {
  return isBusError(error) && error.code === "ERR_CLOSED";
}
