import assert from "node:assert/strict";
import { test } from "node:test";
import { isBusError } from "../errors.js";
import type { ChannelDriver } from "./driver.js";
import { inArena, Taker } from "./stage.js";

const MESSAGES = 500;
const SENDERS = 8;
const PER_SENDER = 100;
/** What an envelope takes besides its data, in bytes, at the most. */
const ENVELOPE_BYTES = 1_024;
const TEXTS = ["", "a", "\u0000", '\n\r\t"\\', "grüße", "日本語", "😀👩‍👩‍👧", "\u2028\u2029", "\ufffd", "x".repeat(70_000)];

/** What goes in comes out: once, in order, whole, and with its sender's name on it. */
export function testDelivery(driver: ChannelDriver): void {
  test("messages of one sender come out once each, in the order in which they were sent", () =>
    inArena(driver, async (arena) => {
      const taker = await Taker.open(arena);
      const sender = await arena.send();
      const sending: Promise<unknown>[] = [];
      // Some are awaited and some are not.
      for (let i = 0; i < MESSAGES; i++) {
        const sent = sender.send({ i });
        sending.push(sent);
        if (i % 7 === 0) await sent;
      }
      await Promise.all(sending);
      await taker.until(MESSAGES);
      assert.deepEqual(
        taker.data,
        Array.from({ length: MESSAGES }, (_, i) => ({ i })),
      );
    }));

  test("text of any script and bytes of any value come out as they went in", () =>
    inArena(driver, async (arena) => {
      const taker = await Taker.open(arena);
      const sender = await arena.send();
      const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 31) % 256));
      for (const text of TEXTS) await sender.send({ text, [text.slice(0, 9)]: text });
      await sender.send(bytes);
      await taker.until(TEXTS.length + 1);
      assert.deepEqual(
        taker.data.slice(0, -1),
        TEXTS.map((text) => ({ text, [text.slice(0, 9)]: text })),
      );
      assert.deepEqual(taker.data.at(-1), bytes);
    }));

  test("data from one byte to the limit passes; past the limit it is refused with the limit, and the next message passes", () =>
    inArena(driver, async (arena) => {
      const taker = await Taker.open(arena);
      const sender = await arena.send();
      const largest = arena.maxEnvelopeBytes - ENVELOPE_BYTES;
      const sizes = [1, 511, 512, 513, 4_095, 4_096, 4_097, 65_535, 65_536, 65_537, 1_000_000, largest];
      const fitting = sizes.filter((size) => size <= largest);
      for (const size of fitting) await sender.send("x".repeat(size));
      await assert.rejects(
        sender.send("x".repeat(arena.maxEnvelopeBytes)),
        (error) =>
          isBusError(error) && error.code === "ERR_TOO_LARGE" && error.message.includes(`${arena.maxEnvelopeBytes}`),
      );
      await sender.send("after");
      await taker.until(fitting.length + 1);
      assert.deepEqual(
        taker.data.map((data) => (data as string).length),
        [...fitting, "after".length],
      );
    }));

  test("many senders at once: each one's messages come in its order, none is lost, none is mixed up", () =>
    inArena(driver, async (arena) => {
      const taker = await Taker.open(arena);
      const senders = await Promise.all(Array.from({ length: SENDERS }, () => arena.send()));
      await Promise.all(
        senders.map(async (sender, name) => {
          for (let i = 0; i < PER_SENDER; i++) await sender.send({ name, i, pad: "p".repeat((i * 97) % 5_000) });
        }),
      );
      await taker.until(SENDERS * PER_SENDER);
      for (let name = 0; name < SENDERS; name++) {
        const own = (taker.data as { name: number; i: number }[]).filter((data) => data.name === name);
        assert.deepEqual(
          own.map(({ i }) => i),
          Array.from({ length: PER_SENDER }, (_, i) => i),
        );
      }
    }));

  test("a message tells who sent it, by the kernel's word, and what its sender said of it", () =>
    inArena(driver, async (arena) => {
      const taker = await Taker.open(arena);
      const sender = await arena.send();
      const { id } = await sender.send(
        { text: "hello" },
        { topic: "build.done", subject: "main", correlationId: "c1" },
      );
      await taker.until(1);
      const [message] = taker.messages;
      assert.deepEqual(message?.sender, { user: arena.user, uid: arena.uid });
      assert.equal(message.id, id);
      assert.equal(message.topic, "build.done");
      assert.equal(message.envelope.subject, "main");
      assert.equal(message.cause.correlationId, "c1");
      assert.ok(Math.abs(message.time.getTime() - Date.now()) < 60_000);
    }));

  test("what follows from a message says so, and is refused when too many led to it", () =>
    inArena(driver, async (arena) => {
      const taker = await Taker.open(arena);
      const sender = await arena.send();
      await sender.send("first");
      for (let hops = 1; ; hops++) {
        await taker.until(hops);
        const message = taker.messages.at(-1);
        assert.equal(message?.envelope.hops ?? 0, hops - 1);
        try {
          await sender.send(`after ${hops}`, { cause: message });
        } catch (error) {
          assert.ok(isBusError(error) && error.code === "ERR_HOPS", String(error));
          break;
        }
      }
      assert.ok(taker.messages.length > 1);
    }));
}
