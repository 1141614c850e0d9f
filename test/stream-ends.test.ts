import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Bus } from "@agentbus/core";
import { NameSource } from "#core/message-name.js";
import { Puppet } from "./crash/puppet.js";
import { PersonalSpool, until } from "./support/personal-spool.js";

/** Publishers remember a subscription, and so append, only when its record is some milliseconds old. */
const UNTIL_KNOWN_MS = 100;
/** Nobody looks for idle streams before the test is over, so what goes does so by its publisher's word. */
const NO_RESCAN_MS = 600_000;
/** Streams of one publisher that may be there at a time: one that is read to its end, one that grows, and those in between. */
const A_FEW = 4;
/** Of what a receiver reads at once. */
const CHUNK_BYTES = 128 * 1024;

const names = new NameSource();

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

/** A subscription that takes streams, and what it was given. */
class Listener {
  readonly received: unknown[] = [];
  mostInCur = 0;

  private constructor(
    readonly bus: Bus,
    readonly dir: string,
  ) {}

  static async make(spool: PersonalSpool): Promise<Listener> {
    const bus = await spool.bus({ rescanMs: NO_RESCAN_MS });
    const listener = new Listener(bus, join(spool.path, "subscriptions", `${bus.user}~ends`));
    await bus.subscribe("a.*", { durable: "ends" }, ({ data }) => {
      listener.received.push(data);
      if (listener.received.length % 50 === 0)
        listener.mostInCur = Math.max(listener.mostInCur, listener.streams.length);
    });
    await delay(UNTIL_KNOWN_MS);
    return listener;
  }

  get streams(): string[] {
    return fs.readdirSync(join(this.dir, "cur")).filter((name) => name.endsWith(".jsonl"));
  }

  /** Once everything is received, nothing of it is left, and no seal was made. */
  async assertLetGo(count: number): Promise<void> {
    await until(() => this.received.length >= count);
    await until(() => fs.readdirSync(join(this.dir, "cur")).length === 0);
    assert.deepEqual(this.received, upTo(count));
    for (const part of ["new", "retry", "dead"]) assert.deepEqual(fs.readdirSync(join(this.dir, part)), [], part);
  }
}

async function publishAll(publisher: Bus, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) await publisher.publish("a.b", n);
}

test("a stream is let go of without a seal when another file follows it", async (context) => {
  const spool = await PersonalSpool.make(context);
  const listener = await Listener.make(spool);
  const publisher = await spool.bus();
  await publishAll(publisher, 0, 20);
  await until(() => listener.received.length === 20);
  assert.equal(listener.streams.length, 1);
  await publisher.publish("a.b", 20, { receipt: true });
  await listener.assertLetGo(21);
});

test("a stream is let go of without a seal when its publisher has had nothing to say for a while", async (context) => {
  const spool = await PersonalSpool.make(context);
  const listener = await Listener.make(spool);
  await publishAll(await spool.bus(), 0, 20);
  await listener.assertLetGo(20);
});

test("a stream is let go of without a seal when its publisher closes", async (context) => {
  const spool = await PersonalSpool.make(context);
  const listener = await Listener.make(spool);
  const publisher = await spool.bus();
  await publishAll(publisher, 0, 20);
  await publisher.close();
  await listener.assertLetGo(20);
});

test("a stream is let go of without a seal when its publisher's process ends without closing", async (context) => {
  const spool = await PersonalSpool.make(context);
  const listener = await Listener.make(spool);
  const publisher = await Puppet.start(context, spool.path);
  await publisher.call("open");
  await publisher.call("publishMany", "a.b", 20, 1);
  await until(() => listener.received.length === 20);
  publisher.disconnect();
  await publisher.exited();
  await listener.assertLetGo(20);
});

test("a burst of 10,000 messages leaves a few streams open, and none in the end", async (context) => {
  const spool = await PersonalSpool.make(context);
  const listener = await Listener.make(spool);
  const publisher = await Puppet.start(context, spool.path);
  await publisher.call("open");
  // One by one, and in ticks that are appended at once.
  for (const together of [1, 100]) await publisher.call("publishMany", "a.b", 5_000, together);
  await until(() => listener.received.length === 10_000);
  assert.deepEqual(listener.received, [...upTo(5_000), ...upTo(5_000)]);
  assert.ok(listener.mostInCur > 0 && listener.mostInCur <= A_FEW, String(listener.mostInCur));
  await until(() => fs.readdirSync(join(listener.dir, "cur")).length === 0);
  assert.deepEqual(fs.readdirSync(join(listener.dir, "new")), []);
});

/** A stream as its publisher may have left it. */
function plant(listener: Listener, bytes: string | Buffer): void {
  const draft = join(listener.dir, "..", "..", "outbox", listener.bus.user, `.${names.random(16)}`);
  fs.writeFileSync(draft, bytes, { mode: 0o640 });
  fs.renameSync(draft, join(listener.dir, "new", names.messageFile(5, names.ulid(), ".jsonl")));
}

/** An envelope's line. @param length in bytes; longer than it would be by itself */
function line({ bus }: Listener, data: unknown, length?: number): string {
  const time = new Date().toISOString();
  const facts = {
    specversion: "1.0",
    id: names.ulid(),
    source: `/agents/${bus.user}`,
    type: "a.b",
    time,
    topic: "a.b",
  };
  const text = JSON.stringify({ ...facts, data });
  return `${length === undefined ? text : text.padEnd(length - 1)}\n`;
}

async function listen(context: TestContext): Promise<Listener> {
  return Listener.make(await PersonalSpool.make(context));
}

for (const length of [-1, 0, 1].map((more) => CHUNK_BYTES + more)) {
  test(`an empty line ends a stream where it is read in pieces, after ${length} bytes`, async (context) => {
    const listener = await listen(context);
    const [first, second] = [line(listener, 0), line(listener, 1)];
    const third = line(listener, 2, length - first.length - second.length);
    plant(listener, `${first}${second}${third}\n${line(listener, "behind the end")}no JSON\n`);
    await listener.assertLetGo(3);
  });
}

test("a stream whose first line is empty holds nothing, and is gone", async (context) => {
  const listener = await listen(context);
  for (const bytes of ["\n", "\n\n", `\n${line(listener, "behind the end")}`]) plant(listener, bytes);
  plant(listener, `${line(listener, 0)}\n`);
  await listener.assertLetGo(1);
});

test("lines that only look empty end nothing, and lines that are no messages are refused alone", async (context) => {
  const listener = await listen(context);
  const lines = [line(listener, 0), "\r\n", " \t\n", line(listener, 1).replace("\n", "\r\n"), "\u0000\n", "\ufeff\n"];
  plant(
    listener,
    Buffer.concat([
      Buffer.from(lines.join("")),
      Buffer.from([0xff, 0x0a]),
      Buffer.from(`${line(listener, 2)}\n${line(listener, "behind the end")}`),
    ]),
  );
  await until(() => listener.received.length === 3 && fs.readdirSync(join(listener.dir, "cur")).length === 0);
  assert.deepEqual(listener.received, upTo(3));
  const reasons = fs.readdirSync(join(listener.dir, "dead")).filter((name) => name.endsWith(".reason.json"));
  assert.equal(reasons.length, 2);
});
