import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PersonalSpool, publishTogether, UNSETTLED_PLACES, until } from "../support/personal-spool.js";
import { Puppet } from "./puppet.js";
import type { Handling } from "./puppet-process.js";

const MAX_ATTEMPTS = 3;

test("a message that kills its process is given up after maxAttempts, and nobody that was in work beside it", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  await (await bus.subscribe("work", { durable: "ci" })).close();
  // One by one, so each has a file of its own. Five innocent ones before and behind, one killer among them.
  for (let n = 0; n < 11; n++) await bus.publish("work", { n, poison: n === 5 }, { sync: "data" });

  const { handled, deaths } = await handleUntilQuiet(context, spool, bus.user);

  assert.equal(deaths, MAX_ATTEMPTS);
  assert.deepEqual(numbersOf(handled), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.equal(handled.filter(({ data }) => numberOf(data) === 5).length, MAX_ATTEMPTS);
  assert.deepEqual(deadIn(spool, bus.user), [{ reason: "consumer-died", attempts: MAX_ATTEMPTS, n: 5 }]);
});

test("a message that kills its process takes none along that shared its file", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  await (await bus.subscribe("work", { durable: "ci" })).close();
  await publishTogether(bus, 8, (n) => bus.publish("work", { n, poison: n === 3 }));
  assert.equal(fs.readdirSync(join(spool.path, "subscriptions", `${bus.user}~ci`, "new")).length, 1);

  const { handled, deaths } = await handleUntilQuiet(context, spool, bus.user);

  assert.equal(deaths, MAX_ATTEMPTS);
  assert.deepEqual(numbersOf(handled), [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.equal(handled.filter(({ data }) => numberOf(data) === 3).length, MAX_ATTEMPTS);
  assert.deepEqual(deadIn(spool, bus.user), [{ reason: "consumer-died", attempts: MAX_ATTEMPTS, n: 3 }]);
});

/** Starts a consumer again each time it dies, until nothing is left to handle. */
async function handleUntilQuiet(
  context: Parameters<typeof Puppet.start>[0],
  spool: PersonalSpool,
  user: string,
): Promise<{ handled: Handling[]; deaths: number }> {
  const handled: Handling[] = [];
  const dir = join(spool.path, "subscriptions", `${user}~ci`);
  const isQuiet = () => UNSETTLED_PLACES.every((part) => fs.readdirSync(join(dir, part)).length === 0);
  for (let deaths = 0; ; deaths++) {
    const consumer = await Puppet.start(context, spool.path);
    await consumer.call("open");
    await consumer.call(
      "subscribe",
      "work",
      { durable: "ci", concurrency: 4, maxAttempts: MAX_ATTEMPTS },
      "die of poison",
    );
    let isDead = false;
    const death = consumer.exited().then(() => (isDead = true));
    await until(() => isDead || isQuiet());
    await consumer.heard();
    handled.push(...consumer.handled);
    if (!isDead) return { handled, deaths };
    await death;
    assert.ok(deaths < 20, "it goes on for ever");
  }
}

function numbersOf(handled: readonly Handling[]): number[] {
  return [...new Set(handled.map(({ data }) => numberOf(data)))].sort((a, b) => a - b);
}

function numberOf(data: unknown): number {
  return (data as { n: number }).n;
}

function deadIn(spool: PersonalSpool, user: string): { reason: string; attempts: number; n: number }[] {
  const dir = join(spool.path, "subscriptions", `${user}~ci`, "dead");
  const reasons = fs.readdirSync(dir).filter((name) => name.endsWith(".reason.json"));
  return reasons.map((name) => {
    const { reason, attempts } = JSON.parse(fs.readFileSync(join(dir, name), "utf8")) as {
      reason: string;
      attempts: number;
    };
    const copy = JSON.parse(fs.readFileSync(join(dir, name.replace(".reason.json", ".json")), "utf8")) as {
      data: unknown;
    };
    return { reason, attempts, n: numberOf(copy.data) };
  });
}
