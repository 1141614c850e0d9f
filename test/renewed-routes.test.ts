import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Bus } from "@agentbus/core";
import { createBus } from "#core/open-bus.js";
import { Outbox } from "#core/publish/outbox.js";
import { PersonalSpool } from "./support/personal-spool.js";

/** Publishers remember a subscription, and so append, only when its record is some milliseconds old. */
const UNTIL_KNOWN_MS = 100;
const EVERY_MS = 2;

interface Timer {
  readonly atMs: number;
  readonly action: () => void;
}

/** Time that passes only when it is told to, for this process. */
class StoppedClock {
  #passedMs = 0;
  readonly #timers = new Set<Timer>();

  constructor(context: TestContext) {
    const steady = performance.now();
    const wall = Date.now();
    context.mock.method(performance, "now", () => steady + this.#passedMs);
    context.mock.method(Date, "now", () => wall + this.#passedMs);
    context.mock.method(globalThis, "setTimeout", ((action: () => void, afterMs: number) => {
      this.#timers.add({ atMs: this.#passedMs + afterMs, action });
      return { unref: () => undefined };
    }) as unknown as typeof setTimeout);
  }

  /** Lets so many milliseconds pass, one by one. */
  pass(ms: number): void {
    for (const until = this.#passedMs + ms; this.#passedMs < until;) {
      this.#passedMs++;
      for (const timer of [...this.#timers]) {
        if (timer.atMs > this.#passedMs || !this.#timers.delete(timer)) continue;
        timer.action();
      }
    }
  }
}

/** How many messages are looked up from now on. */
function countLookedUp(context: TestContext): { count: number } {
  const lookedUp = { count: 0 };
  // eslint-disable-next-line @typescript-eslint/unbound-method
  const put = Outbox.prototype.put;
  context.mock.method(Outbox.prototype, "put", function (this: Outbox, ...args: Parameters<typeof put>) {
    lookedUp.count++;
    return put.apply(this, args);
  });
  return lookedUp;
}

/** A bus that has a subscription which nobody reads, and time that stands still. */
async function publisherWithClock(context: TestContext): Promise<[Bus, StoppedClock, PersonalSpool]> {
  const spool = await PersonalSpool.make(context);
  await (await (await spool.bus()).subscribe("a.*", { durable: "any" })).close();
  const bus = await createBus({ spool: spool.path }, { env: {} });
  context.after(() => bus.close());
  await delay(UNTIL_KNOWN_MS);
  return [bus, new StoppedClock(context), spool];
}

test("of messages that follow each other, only the first two are looked up", async (context) => {
  const [bus, clock] = await publisherWithClock(context);
  const lookedUp = countLookedUp(context);
  for (let n = 0; n < 500; n++) {
    await bus.publish("a.b", n);
    clock.pass(EVERY_MS);
  }
  assert.equal(lookedUp.count, 2);
});

test("of messages to several topics in turn, only the first of each is looked up, and one more", async (context) => {
  const [bus, clock] = await publisherWithClock(context);
  const lookedUp = countLookedUp(context);
  const topics = ["a.b", "a.c", "a.d"];
  for (let n = 0; n < 500; n++) {
    await bus.publish(topics[n % topics.length] ?? "", n);
    clock.pass(EVERY_MS);
  }
  assert.ok(lookedUp.count <= topics.length + 1, `${lookedUp.count} were looked up`);
});

test("a schema is obeyed within a second and a tenth, though messages follow each other", async (context) => {
  const [bus, clock, spool] = await publisherWithClock(context);
  const publishFor = async (ms: number) => {
    for (let n = 0; n < ms / EVERY_MS; n++) {
      await bus.publish("a.b", n);
      clock.pass(EVERY_MS);
    }
  };
  await publishFor(500);
  const schemasDir = join(spool.path, "schemas");
  fs.mkdirSync(schemasDir, { recursive: true });
  fs.writeFileSync(join(schemasDir, "a.b.schema.json"), JSON.stringify({ type: "string" }));
  await assert.rejects(publishFor(1_100 + 2 * EVERY_MS), { code: "ERR_SCHEMA" });
});

test("after a pause of more than a tenth of a second a message is looked up", async (context) => {
  const [bus, clock] = await publisherWithClock(context);
  const lookedUp = countLookedUp(context);
  for (let n = 0; n < 100; n++) {
    await bus.publish("a.b", n);
    clock.pass(EVERY_MS);
  }
  clock.pass(110);
  await bus.publish("a.b", "late");
  assert.equal(lookedUp.count, 3);
});
