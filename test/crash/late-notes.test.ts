import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Bus } from "@agentbus/core";
import { PersonalSpool, UNSETTLED_PLACES, until } from "../support/personal-spool.js";
import type { BurstData, BurstDeed, BurstEntry } from "./burst-process.js";
import { wholeLinesOf } from "./journal.js";

const PROCESS = fileURLToPath(new URL("burst-process.js", import.meta.url));
/** Publishers remember a subscription, and so append, only when its record is some milliseconds old. */
const UNTIL_KNOWN_MS = 100;
/** Notes wait 5 ms at the most; the rest is for a processor that is somebody else's just then. */
const SHORTLY_MS = 250;
const TOPIC = "burst.now";

/** Consumers of one subscription, one after the other, and what each wrote down. */
class Burst {
  #process: ChildProcess | undefined;
  #starts = 0;

  private constructor(
    private readonly context: TestContext,
    private readonly spool: PersonalSpool,
    readonly bus: Bus,
  ) {}

  static async make(context: TestContext): Promise<Burst> {
    const spool = await PersonalSpool.make(context);
    const bus = await spool.bus();
    await (await bus.subscribe("burst.*", { durable: "burst" })).close();
    await delay(UNTIL_KNOWN_MS);
    return new Burst(context, spool, bus);
  }

  /** Another publisher. */
  another(): Promise<Bus> {
    return this.spool.bus();
  }

  async start(concurrency = 1): Promise<void> {
    this.#starts++;
    const child = fork(PROCESS, [this.spool.path, this.#journalPath(this.#starts), String(concurrency)]);
    this.#process = child;
    this.context.after(() => child.kill("SIGKILL"));
    await once(child, "message");
  }

  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.exited();
  }

  async exited(): Promise<void> {
    const child = this.#process;
    if (child?.exitCode === null && child.signalCode === null) await once(child, "exit");
  }

  /** Publishes while the consumer is stopped, so that it finds all of it at once. */
  async surprise(publish: () => Promise<void>): Promise<void> {
    this.#process?.kill("SIGSTOP");
    await publish();
    this.#process?.kill("SIGCONT");
  }

  async publish(from: number, to: number, deed?: BurstDeed, bus = this.bus): Promise<void> {
    for (let n = from; n < to; n++) await bus.publish(TOPIC, dataOf(n, deed));
  }

  /** What the consumer of that start wrote. @param start from 1 @default the last one */
  entries(start = this.#starts): BurstEntry[] {
    return wholeLinesOf(this.#journalPath(start)).map((line) => JSON.parse(line) as BurstEntry);
  }

  async untilNoted(what: BurstEntry["what"], n: number): Promise<void> {
    await until(() => this.entries().some((entry) => entry.what === what && entry.n === n));
  }

  /** What a new consumer is given until nothing is left. */
  async rest(): Promise<[n: number, attempt: number][]> {
    await this.start();
    await until(() => this.isEmpty());
    return this.entries()
      .filter(({ what }) => what === "began")
      .map(({ n, attempt }) => [n, attempt]);
  }

  /** Nothing is left to be handled, nor in work. */
  isEmpty(): boolean {
    const dir = join(this.spool.path, "subscriptions", `${this.bus.user}~burst`);
    const names = UNSETTLED_PLACES.flatMap((part) => fs.readdirSync(join(dir, part)));
    return names.every((name) => name.endsWith(".sealed"));
  }

  #journalPath(start: number): string {
    return join(this.spool.scratchDir, `journal-${start}`);
  }
}

function dataOf(n: number, deed: BurstDeed | undefined): BurstData {
  return deed === undefined ? { n } : { n, deed };
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

test("a consumer that is killed in the midst of a burst, again and again: nothing is lost, and what was done is repeated only if that was just before", async (context) => {
  const burst = await Burst.make(context);
  const rounds = 6;
  const perRound = 4_000;
  for (let round = 0; round < rounds; round++) {
    await burst.start();
    const publishing = burst.publish(round * perRound, (round + 1) * perRound);
    await until(() => burst.entries().length > perRound / (round + 2));
    await burst.kill();
    await publishing;
  }
  await burst.rest();

  const doneBefore = new Set<number>();
  for (let start = 1; start <= rounds + 1; start++) {
    const entries = burst.entries(start);
    const lastAtMs = entries.at(-1)?.atMs ?? 0;
    const order = [...new Set(entries.map(({ n }) => n))];
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    );
    assert.equal(order.length, entries.length, "a consumer that lives does nothing twice");
    for (const { n } of entries) assert.ok(!doneBefore.has(n), `${n} was done long before, and came again`);
    for (const { n, atMs } of entries) if (atMs < lastAtMs - SHORTLY_MS) doneBefore.add(n);
  }
  const all = upTo(rounds + 1).flatMap((start) => burst.entries(start + 1).map(({ n }) => n));
  assert.deepEqual(
    [...new Set(all)].sort((a, b) => a - b),
    upTo(rounds * perRound),
  );
});

test("a message whose ack() has resolved does not come again, wherever its consumer is killed", async (context) => {
  const burst = await Burst.make(context);
  const rounds = 5;
  const perRound = 1_000;
  for (let round = 0; round < rounds; round++) {
    await burst.start();
    const publishing = burst.publish(round * perRound, (round + 1) * perRound, "ack");
    await until(() => burst.entries().length > perRound / 5);
    await burst.kill();
    await publishing;
  }
  await burst.rest();

  const began = new Set<number>();
  const acked = new Set<number>();
  for (let start = 1; start <= rounds + 1; start++) {
    const entries = burst.entries(start);
    assert.deepEqual(
      entries.filter(({ n }) => acked.has(n)),
      [],
    );
    for (const { n } of entries) began.add(n);
    for (const { what, n } of entries) if (what === "acked") acked.add(n);
  }
  assert.deepEqual(
    [...began].sort((a, b) => a - b),
    upTo(rounds * perRound),
  );
  assert.ok(acked.size > rounds * (perRound / 20), String(acked.size));
});

test("a message whose handler waits when its process is killed has had an attempt, and what was done before it stays done", async (context) => {
  const burst = await Burst.make(context);
  await burst.start();
  await burst.surprise(async () => {
    await burst.publish(0, 40);
    await burst.publish(40, 41, "hang");
    await burst.publish(41, 43);
  });
  await burst.untilNoted("went on", 40);
  await burst.kill();
  assert.deepEqual(await burst.rest(), [
    [40, 2],
    [41, 1],
    [42, 1],
  ]);
});

test("what was done stays done while the handler of a message of another file waits", async (context) => {
  const burst = await Burst.make(context);
  const other = await burst.another();
  // The first stream is not over, so its notes are still of use.
  await burst.publish(0, 40);
  // Of two publishers within a millisecond, chance says who comes first.
  await delay(5);
  await burst.publish(40, 41, "hang", other);
  await burst.start();
  await burst.untilNoted("went on", 40);
  await burst.kill();
  assert.deepEqual(await burst.rest(), [[40, 2]]);
});

test("what was done stays done while a subscription that drains waits for another handler", async (context) => {
  const burst = await Burst.make(context);
  await burst.start(2);
  await burst.publish(0, 2);
  await burst.publish(2, 3, "hang");
  await burst.untilNoted("went on", 2);
  await burst.surprise(async () => {
    await burst.publish(3, 40);
    await burst.publish(40, 41, "drain");
  });
  await burst.untilNoted("went on", 40);
  await burst.kill();
  assert.deepEqual(await burst.rest(), [[2, 2]]);
});

test("a handler that ends its process: what was done before it stays done", async (context) => {
  const burst = await Burst.make(context);
  await burst.start();
  await burst.surprise(async () => {
    await burst.publish(0, 40);
    await burst.publish(40, 41, "exit");
    await burst.publish(41, 43);
  });
  await burst.exited();
  // Nobody knew that it had begun; the next time, that is noted before.
  await burst.start();
  await burst.exited();
  assert.deepEqual(
    burst.entries().map(({ n, attempt }) => [n, attempt]),
    [[40, 1]],
  );
  assert.deepEqual(await burst.rest(), [
    [40, 2],
    [41, 1],
    [42, 1],
  ]);
});
