import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Message, Subscription } from "@agentbus/core";
import { deadLetters } from "#core/dead-letters.js";
import { Express } from "#core/deliver/express.js";
import { TestSpool, until } from "../support/spool.js";

/** Longer than a publisher goes by what it has seen of subscriptions. */
const UNTIL_KNOWN_MS = 100;
/** Messages, of which some come the short way on the slowest machine. */
const ENOUGH = 50;

/** Ids of what came by the short way. */
function watchShortWay(context: TestContext): Set<string> {
  const ids = new Set<string>();
  const take = Reflect.get(Express.prototype, "take");
  context.mock.method(Express.prototype, "take", function (this: Express, ...args: Parameters<Express["take"]>) {
    const taken = Reflect.apply(take, this, args);
    if (taken !== undefined) ids.add(taken.envelope.id);
    return taken;
  });
  return ids;
}

interface Deed {
  /** What the handler does with one message, before it returns. */
  readonly act: (message: Message, subscription: Subscription) => unknown;
  /** Attempts at that message, by this subscription and, after it, by the next one. */
  readonly attempts: readonly number[];
  /** How many dead letters are left. @default 0 */
  readonly dead?: number;
}

const DEEDS: Record<string, Deed> = {
  returns: { act: () => undefined, attempts: [1] },
  "returns a promise": { act: () => delay(20), attempts: [1] },
  throws: { act: failOnce, attempts: [1, 2] },
  "rejects its promise": { act: async (message) => failOnce(message), attempts: [1, 2] },
  "acknowledges it": { act: (message) => void message.ack(), attempts: [1] },
  "acknowledges it, and throws": { act: (message) => [void message.ack(), failOnce(message)], attempts: [1] },
  "puts it back": { act: (message) => message.attempt === 1 && void message.nack(), attempts: [1, 2] },
  "rejects it": { act: (message) => void message.reject("no"), attempts: [1], dead: 1 },
  "changes its envelope, and rejects it": {
    act: (message) => {
      Object.assign(message.envelope, { id: "another", data: 1 });
      void message.reject("no");
    },
    attempts: [1],
    dead: 1,
  },
  "changes its envelope, and throws": {
    act: (message) => {
      if (message.attempt === 1) Object.assign(message.envelope, { id: "another", data: 1 });
      failOnce(message);
    },
    attempts: [1, 2],
  },
  "changes its envelope": { act: ({ envelope }) => Object.assign(envelope, { id: "another" }), attempts: [1] },
  // Whoever closes before it has returned has not done it.
  "closes its subscription": { act: (_, subscription) => void subscription.close(), attempts: [1, 1] },
  "drains its subscription": { act: (_, subscription) => void subscription.drain(), attempts: [1] },
  "drains its subscription, and goes on": {
    act: async (_, subscription) => {
      void subscription.drain();
      await delay(20);
    },
    attempts: [1],
  },
};

function failOnce({ attempt }: Message): void {
  if (attempt === 1) throw new Error("not yet");
}

for (const maxAttempts of [5, 1]) {
  for (const [name, { act, attempts, dead = 0 }] of Object.entries(DEEDS)) {
    const wanted = maxAttempts === 1 && attempts[1] === 2 ? [1] : attempts;
    const title = `a handler that ${name}, with ${maxAttempts === 1 ? "one attempt" : "attempts left"}: the message comes ${wanted.length === 1 ? "once" : "twice"}, and a copy of it never`;
    test(title, async (context) => {
      const spool = await TestSpool.make(context);
      const bus = await spool.bus();
      const short = watchShortWay(context);
      const options = { durable: "ci", maxAttempts, backoff: { minMs: 1, maxMs: 1 }, onError: () => undefined };
      const received: [data: unknown, attempt: number][] = [];
      // Which one comes the short way is up to the machine: after a pause the publisher begins another file.
      const special: [id: string, data: unknown][] = [];
      const subscription: Subscription = await bus.subscribe("a.b", options, (message): unknown => {
        const { id, data, attempt } = message;
        received.push([data, attempt]);
        if (special.length === 0 && short.size > 2 && short.has(id)) special.push([id, data]);
        return id === special[0]?.[0] ? act(message, subscription) : undefined;
      });
      await delay(UNTIL_KNOWN_MS);
      for (let n = 0; special.length === 0; n++) {
        assert.ok(n < ENOUGH, "nothing comes the short way");
        await bus.publish("a.b", n);
        await until(() => received.length > n);
      }
      const [[specialId, specialData] = assert.fail()] = special;
      await bus.publish("a.b", "behind");
      const copied = await bus.publish("a.b", "a copy", { id: specialId });
      assert.equal(copied.id, specialId);
      await delay(20);
      await subscription.drain();
      await bus.subscribe("a.b", options, ({ data, attempt }) => void received.push([data, attempt]));
      await bus.publish("a.b", "last");
      await until(() => received.some(([data]) => data === "last"));
      const of = (wantedData: unknown) =>
        received.filter(([data]) => data === wantedData).map(([, attempt]) => attempt);
      assert.deepEqual(of(specialData), wanted);
      assert.deepEqual([of("behind"), of("a copy"), of("last")], [[1], [], [1]]);
      const failed = maxAttempts === 1 && attempts[1] === 2 ? 1 : 0;
      const office = await deadLetters({ spool: spool.path });
      const letters = await office.open({ all: true });
      // As it was written, whatever its handler has done to it.
      const buried = letters.map(({ id, envelope }) => [id, (envelope as { data: unknown }).data]);
      assert.deepEqual(buried, dead + failed === 0 ? [] : [[specialId, specialData]]);
    });
  }
}

/** Messages that have begun and are not settled, by the notes of whoever handles them. */
function notedInWork(spool: TestSpool, user: string): string[] {
  const cur = join(spool.path, "subscriptions", `${user}~ci`, "cur");
  const notes = fs.readdirSync(cur).filter((name) => name.endsWith(".progress"));
  const lines = notes.flatMap((name) => fs.readFileSync(join(cur, name), "latin1").trim().split("\n"));
  return lines.filter((line) => line[0] === "s" && !lines.includes(`d${line.slice(1)}`));
}

for (const [maxAttempts, when] of [
  [1, "before its handler runs"],
  [5, "once its handler goes on beyond a turn of the event loop"],
] as const) {
  test(`of a message by the short way, with maxAttempts ${maxAttempts}, the attempt counts ${when}`, async (context) => {
    const spool = await TestSpool.make(context);
    const bus = await spool.bus();
    const short = watchShortWay(context);
    const noted: string[][] = [];
    const subscription = await bus.subscribe("a.b", { durable: "ci", maxAttempts }, async ({ id }) => {
      if (!short.has(id)) return;
      if (maxAttempts > 1) await delay(20);
      noted.push(notedInWork(spool, bus.user));
    });
    await delay(UNTIL_KNOWN_MS);
    for (let n = 1; noted.length === 0; n++) {
      assert.ok(n < ENOUGH, "nothing comes the short way");
      await bus.publish("a.b", n);
      await until(() => subscription.stats.acked === n);
    }
    assert.equal(noted[0]?.length, 1);
    await subscription.drain();
  });
}
