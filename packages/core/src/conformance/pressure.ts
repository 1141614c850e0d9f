import assert from "node:assert/strict";
import { test } from "node:test";
import { isBusError } from "../errors.js";
import type { ChannelDriver } from "./driver.js";
import { inArena, Taker } from "./stage.js";
import { until } from "./until.js";

const MESSAGES = 2_000;
const DATA_BYTES = 4_000;
/** A channel with backpressure lets no more than this get ahead of its receiver. */
const MAX_AHEAD_BYTES = 2 * 1024 * 1024;

/** A receiver that is slow, or gone. */
export function testPressure(driver: ChannelDriver): void {
  test("a slow receiver holds its sender back, where the channel says so, and gets everything in the end", () =>
    inArena(driver, async (arena) => {
      const end = await arena.receive();
      const sender = await arena.send();
      const iterator = end[Symbol.asyncIterator]();
      const received: unknown[] = [];
      let sent = 0;
      const data = (i: number) => ({ i, pad: "p".repeat(DATA_BYTES) });
      const take = async () => {
        const { value: message } = await iterator.next();
        assert.ok(message !== undefined);
        received.push((message.data as { i: number }).i);
        await message.ack();
      };
      const first = take();
      const sending = (async () => {
        for (; sent < MESSAGES; sent++) await sender.send(data(sent));
      })();
      await first;
      if (driver.capabilities.backpressure) await untilStill(() => sent);
      else await sending;
      if (driver.capabilities.backpressure) {
        assert.ok(sent * DATA_BYTES <= MAX_AHEAD_BYTES, `${sent * DATA_BYTES} bytes got ahead of the receiver`);
      }
      while (received.length < MESSAGES) await take();
      await sending;
      assert.deepEqual(
        received,
        Array.from({ length: MESSAGES }, (_, i) => i),
      );
      await end.close();
    }));

  test("a receiver that is killed and comes back gets what is sent from then on; nothing comes twice, nobody hangs", () =>
    inArena(driver, async (arena) => {
      const sender = await arena.send();
      const first = await arena.receiveElsewhere();
      let next = 0;
      const ending = new AbortController();
      const failures: unknown[] = [];
      const sending = (async () => {
        while (!ending.signal.aborted) {
          try {
            await sender.send(next++);
          } catch (error) {
            failures.push(error);
          }
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      await until(
        () => first.received.length >= 100,
        () => `the first receiver got ${first.received.length}`,
      );
      await first.kill();
      const second = await arena.receiveElsewhere();
      const atRestart = next;
      await until(
        () => (second.received.at(-1) as number) >= atRestart + 100,
        () => `the second receiver got ${second.received.length}, up to ${String(second.received.at(-1))} of ${next}`,
      );
      ending.abort();
      await sending;
      const last = next - 1;
      await until(
        () => second.received.at(-1) === last || failures.length > 0,
        () => `the last one is ${String(second.received.at(-1))}, not ${last}`,
      );
      assert.ok(
        failures.every((error) => isBusError(error)),
        String(failures[0]),
      );
      const seconds = second.received as number[];
      assert.deepEqual(
        seconds,
        [...new Set(seconds)].sort((a, b) => a - b),
        "once each, and in order",
      );
      if (!driver.capabilities.durable) {
        const common = seconds.filter((i) => first.received.includes(i));
        assert.deepEqual(common, [], "what the first one had, the second one does not get again");
      } else {
        assert.deepEqual(failures.map(String), [], "there is always room to store them");
        const all = new Set([...first.received, ...seconds]);
        const lost = Array.from({ length: next }, (_, i) => i).filter((i) => !all.has(i));
        assert.deepEqual(lost, [], "a durable channel loses nothing");
      }
      await second.kill();
    }));

  test("a sender that waits for a slow receiver can take its message back", { skip: skipWithout(driver) }, () =>
    inArena(driver, async (arena) => {
      const end = await arena.receive();
      const sender = await arena.send();
      const iterator = end[Symbol.asyncIterator]();
      const first = iterator.next();
      await sender.send("connected");
      await first;
      const aborting = new AbortController();
      const results: Promise<string>[] = [];
      for (let i = 0; i < 1_000; i++) {
        const sent = sender.send({ i, pad: "p".repeat(DATA_BYTES) }, { signal: aborting.signal });
        results.push(
          sent.then(
            () => "sent",
            (error: unknown) => String(error),
          ),
        );
      }
      let settled = 0;
      for (const result of results) void result.then(() => settled++);
      await untilStill(() => settled);
      aborting.abort("no more");
      const outcomes = await Promise.all(results);
      assert.ok(outcomes.includes("no more"));
      const last = sender.send("the last");
      const received: unknown[] = [];
      for (let data: unknown; data !== "the last"; received.push(data)) data = (await iterator.next()).value?.data;
      await last;
      // One message at the most may have been on its way in when it was taken back.
      const sent = outcomes.filter((outcome) => outcome === "sent").length;
      assert.ok(
        received.length === sent + 1 || received.length === sent + 2,
        `${received.length} came, ${sent} were sent`,
      );
      await end.close();
    }),
  );

  test("messages that nobody awaits do not pile up without bounds", { skip: skipWithout(driver) }, () =>
    inArena(driver, async (arena) => {
      const taker = await Taker.open(arena);
      const sender = await arena.send();
      await sender.send("connected");
      await taker.end.close();
      const codes = new Set<unknown>();
      const sending: Promise<unknown>[] = [];
      for (let i = 0; i < 20_000; i++) {
        sending.push(
          sender
            .send({ pad: "p".repeat(DATA_BYTES) })
            .catch((error: unknown) => codes.add(isBusError(error) ? error.code : error)),
        );
      }
      await new Promise((resolve) => setImmediate(resolve));
      await sender.close();
      await Promise.all(sending);
      assert.deepEqual(codes, new Set(["ERR_BACKLOG", "ERR_CLOSED"]));
    }),
  );
}

function skipWithout({ name, capabilities }: ChannelDriver): string | false {
  return capabilities.backpressure ? false : `the ${name} has no backpressure`;
}

/** Waits until a number stands still: its turns of the event loop pass without a change. */
async function untilStill(read: () => number): Promise<void> {
  let still = 0;
  for (let last = read(); still < 20; still++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const now = read();
    if (now !== last || now === 0) still = 0;
    last = now;
  }
}
