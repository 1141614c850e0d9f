import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Bus, Message, Subscription } from "@agentbus/core";
import { createBus } from "#core/open-bus.js";
import { Express } from "#core/deliver/express.js";
import { NameSource } from "#core/message-name.js";
import { PersonalSpool, until } from "./support/personal-spool.js";
import { UNTIL_KNOWN_MS } from "./support/short-way.js";

/** A stream holds twice as much. */
const MAX_ENVELOPE_BYTES = 32_768;
/** Messages, of which some come the short way on the slowest machine. */
const ENOUGH = 50;
/** Between messages that shall come alone. */
const ALONE_MS = 10;
/** Schemas that are added are noticed within a second. */
const UNTIL_SCHEMA_MS = 1_100;
/** A stream that does not grow from one look to the next is let go of. */
const NO_RESCAN_MS = 600_000;
const names = new NameSource();

/** The ids of messages that are delivered the short way from now on. */
function watchShort(context: TestContext): Set<string> {
  const ids = new Set<string>();
  // eslint-disable-next-line @typescript-eslint/unbound-method
  const take = Express.prototype.take;
  context.mock.method(Express.prototype, "take", function (this: Express, ...args: Parameters<typeof take>) {
    const taken = take.apply(this, args);
    if (taken !== undefined) ids.add(taken.envelope.id);
    return taken;
  });
  return ids;
}

/** Sends until something came the short way. Which message does is up to the machine: one that comes while nobody waits does not. */
async function untilShort(short: Set<string>, send: () => Promise<void>, when = ""): Promise<void> {
  const before = short.size;
  for (let n = 0; short.size === before; n++) {
    assert.ok(n < ENOUGH, `nothing comes the short way ${when}`);
    await send();
  }
}

/** A bus whose short way can be counted. */
async function watchedBus(context: TestContext, { path }: PersonalSpool): Promise<Bus> {
  const bus = await createBus({ spool: path, rescanMs: NO_RESCAN_MS });
  context.after(() => bus.close());
  return bus;
}

interface Attributes {
  readonly id?: string;
  readonly source?: string;
  readonly topic?: string;
  readonly minute?: string;
  /** Further ones, as text. */
  readonly more?: string;
  /** As text. */
  readonly data: string;
}

/** What a publish without options writes, with other things in the same places. */
function lineOf(user: string, { id, source, topic = "a.b", minute, more = "", data }: Attributes): string {
  const time = `${minute ?? "2026-01-31T12:59"}:07.004Z`;
  const from = source ?? `/agents/${user}`;
  const head = `{"specversion":"1.0","id":"${id ?? names.ulid()}","source":"${from}","type":"${topic}","time":"${time}"`;
  return `${head},"topic":"${topic}",${more}"data":${data}}\n`;
}

/** The same stream for two subscriptions: what goes by a handler may go the short way, what is iterated does not. */
class Twins {
  readonly handled: unknown[] = [];
  readonly iterated: unknown[] = [];
  #handledBy!: Subscription;
  #iteratedBy!: Subscription;
  #fds: number[] = [];

  private constructor(
    readonly spool: PersonalSpool,
    readonly bus: Bus,
  ) {}

  static async make(context: TestContext): Promise<Twins> {
    const spool = await PersonalSpool.make(context);
    const facts = JSON.parse(fs.readFileSync(join(spool.path, "spool.json"), "utf8")) as { limits?: object };
    const limits = { ...facts.limits, maxEnvelopeBytes: MAX_ENVELOPE_BYTES };
    fs.writeFileSync(join(spool.path, "spool.json"), JSON.stringify({ ...facts, limits }));
    const twins = new Twins(spool, await watchedBus(context, spool));
    await twins.#receive();
    await delay(UNTIL_KNOWN_MS);
    for (const name of ["handled", "iterated"]) twins.#plant(name);
    context.after(() => twins.#fds.forEach((fd) => fs.closeSync(fd)));
    return twins;
  }

  async #receive(): Promise<void> {
    this.#handledBy = await this.bus.subscribe("a.*", { durable: "handled" }, ({ data }) => {
      this.handled.push(data);
    });
    this.#iteratedBy = await this.bus.subscribe("a.*", { durable: "iterated", autoAck: true });
    void (async () => {
      for await (const { data } of this.#iteratedBy) this.iterated.push(data);
    })();
  }

  #plant(subscription: string): void {
    const file = names.messageFile(5, names.ulid(), ".jsonl");
    const path = join(this.spool.path, "outbox", this.bus.user, file);
    this.#fds.push(fs.openSync(path, "ax", 0o640));
    fs.renameSync(path, join(this.spool.path, "subscriptions", `${this.bus.user}~${subscription}`, "new", file));
  }

  /** Appends to both, and waits until both have done with it. @param effects how many messages or refusals it is */
  async append(bytes: string | Buffer, effects: number): Promise<void> {
    const wanted = this.#effects(this.#handledBy) + effects;
    for (const fd of this.#fds) fs.writeSync(fd, Buffer.from(bytes as string));
    await until(() => [this.#handledBy, this.#iteratedBy].every((each) => this.#effects(each) >= wanted));
  }

  line(attributes: Attributes): string {
    return lineOf(this.bus.user, attributes);
  }

  get outcomes(): [unknown, unknown] {
    const outcome = ({ stats: { delivered, duplicates, expired, refused } }: Subscription) => ({
      ...{ delivered, duplicates, expired, refused },
    });
    return [outcome(this.#handledBy), outcome(this.#iteratedBy)];
  }

  #effects({ stats }: Subscription): number {
    const refused = Object.values(stats.refused).reduce((sum, count) => sum + count, 0);
    return stats.delivered + stats.duplicates + stats.expired + refused;
  }
}

const NESTED = `${"[".repeat(300)}${"]".repeat(300)}`;

/** What comes alone behind lines that were delivered, and how many messages or refusals it is. */
const CASES: readonly (readonly [what: string, bytesOf: (twins: Twins) => string | Buffer, effects: number])[] = [
  ["of another sender", (twins) => twins.line({ source: "/agents/somebody", data: `"forged"` }), 1],
  ["of a topic that matches", (twins) => twins.line({ topic: "a.c", data: `"a.c"` }), 1],
  ["of a topic that does not", (twins) => twins.line({ topic: "b.c", data: `"b.c"` }), 1],
  ["to somebody", (twins) => twins.line({ more: `"to":"@${twins.bus.user}",`, data: `"direct"` }), 1],
  ["expired", (twins) => twins.line({ more: `"expirytime":"2026-01-01T00:00:00Z",`, data: `"late"` }), 1],
  ["after too many others", (twins) => twins.line({ more: `"hops":1000,`, data: `"hops"` }), 1],
  ["with an id that is no ULID", (twins) => twins.line({ id: `${"0".repeat(25)}I`, data: `"own id"` }), 1],
  ["with an id before the others", (twins) => twins.line({ id: "0".repeat(26), data: `"early"` }), 1],
  ["with the id of another", (twins) => twins.line({ id: "0".repeat(26), data: `"again"` }), 1],
  ["of another minute", (twins) => twins.line({ minute: "2026-02-01T00:00", data: `"later"` }), 1],
  ["that is not UTF-8", (twins) => Buffer.from(twins.line({ data: `"\xff"` }), "latin1"), 1],
  ["with a replacement character", (twins) => twins.line({ data: `"\ufffd"` }), 1],
  ["of other letters", (twins) => twins.line({ data: `"žluťoučký 🐎"` }), 1],
  ["that is no JSON", (twins) => twins.line({ data: "{" }), 1],
  ["without data", (twins) => twins.line({ data: "" }), 1],
  ["over two lines", (twins) => twins.line({ data: `[1,\n2]` }), 2],
  ["nested too deeply", (twins) => twins.line({ data: NESTED }), 1],
  ["two at once", (twins) => twins.line({ data: "1" }) + twins.line({ data: "2" }), 2],
  ["null", (twins) => twins.line({ data: "null" }), 1],
];

test("whatever a line is that comes alone behind others, a handler and an iterator are given the same", async (context) => {
  const twins = await Twins.make(context);
  const short = watchShort(context);
  let serial = 0;
  const plain = () => twins.append(twins.line({ data: `"plain ${serial++}"` }), 1);
  for (const [what, bytesOf, effects] of CASES) {
    await untilShort(short, plain, `before one ${what}`);
    // The second must not go by what was found out about the first.
    for (let time = 0; time < 2; time++) await twins.append(bytesOf(twins), effects);
    await plain();
  }
  const half = twins.line({ data: `"in halves"` });
  await twins.append(half.slice(0, 40), 0);
  await twins.append(half.slice(40), 1);
  await plain();
  await plain();
  await twins.append(twins.line({ data: `"${"x".repeat(MAX_ENVELOPE_BYTES)}"` }), 1);
  await plain();
  assert.deepEqual(twins.handled, twins.iterated);
  const [handled, iterated] = twins.outcomes;
  assert.deepEqual(handled, iterated);
  assert.deepEqual(iterated, {
    ...{ delivered: twins.iterated.length, duplicates: 4, expired: 2 },
    refused: {
      // Root speaks for anybody.
      ...(process.getuid?.() === 0 ? {} : { "forged-source": 2 }),
      ...{ "not-for-this-subscription": 4, hops: 2 },
      ...{ "invalid-json": 12, "too-large": 1 },
    },
  });
});

test("a schema that comes while messages go the short way is heeded by those that follow", async (context) => {
  const twins = await Twins.make(context);
  await untilShort(watchShort(context), () => twins.append(twins.line({ data: `"text"` }), 1));
  const before = twins.handled.length;
  fs.writeFileSync(join(twins.spool.path, "schemas", "a.b.schema.json"), `{"type":"number"}`);
  await delay(UNTIL_SCHEMA_MS);
  await twins.append(twins.line({ data: `"text"` }), 1);
  await twins.append(twins.line({ data: "1" }), 1);
  assert.deepEqual(twins.handled.slice(before), [1]);
  assert.deepEqual(twins.handled, twins.iterated);
  const [handled, iterated] = twins.outcomes;
  assert.deepEqual(handled, iterated);
});

for (const concurrency of [1, 2]) {
  test(`no more than ${concurrency} handlers at a time, and in order, though each message comes alone`, async (context) => {
    const spool = await PersonalSpool.make(context);
    const [receiver, publisher] = [await watchedBus(context, spool), await spool.bus()];
    const started: unknown[] = [];
    const waiting: (() => void)[] = [];
    let most = 0;
    const options = { durable: "slow", concurrency };
    await receiver.subscribe("a.b", options, async ({ data }) => {
      started.push(data);
      if ((data as number) < 0) return;
      most = Math.max(most, waiting.length + 1);
      await new Promise<void>((resolve) => waiting.push(resolve));
    });
    await delay(UNTIL_KNOWN_MS);
    await untilShort(watchShort(context), async () => {
      const count = started.length;
      await publisher.publish("a.b", -1);
      await until(() => started.length > count);
    });
    started.length = 0;
    for (let n = 0; n < 6; n++) {
      await publisher.publish("a.b", n);
      await until(() => started.length >= Math.min(n + 1, concurrency));
      // Time for one too many to be started.
      await delay(ALONE_MS);
    }
    for (let done = 1; done <= 6; done++) {
      waiting.shift()?.();
      await until(() => started.length >= Math.min(done + concurrency, 6));
    }
    assert.deepEqual(started, [0, 1, 2, 3, 4, 5]);
    assert.equal(most, concurrency);
  });
}

test("a subscription that its handler closes gives the message back, and another one gets it and what follows", async (context) => {
  const spool = await PersonalSpool.make(context);
  const [receiver, publisher] = [await watchedBus(context, spool), await spool.bus()];
  const received: unknown[] = [];
  const short = watchShort(context);
  let closed: Promise<void> | undefined;
  const subscription = await receiver.subscribe("a.b", { durable: "short-lived" }, ({ id, data }) => {
    received.push(data);
    if (short.has(id)) closed = subscription.close();
  });
  await delay(UNTIL_KNOWN_MS);
  await untilShort(short, async () => {
    const count = received.length;
    await publisher.publish("a.b", count);
    await until(() => received.length > count);
  });
  await closed;
  await publisher.publish("a.b", "after");
  const again: unknown[] = [];
  await receiver.subscribe("a.b", { durable: "short-lived" }, ({ data }) => void again.push(data));
  await until(() => again.length === 2);
  assert.deepEqual(again, [received.at(-1), "after"]);
});

test("a handler that frees a place, and puts messages back, while it takes the last one: each message is taken once", async (context) => {
  const spool = await PersonalSpool.make(context);
  const [receiver, publisher] = [await watchedBus(context, spool), await spool.bus()];
  const received: string[] = [];
  const held: (() => void)[] = [];
  const short = watchShort(context);
  let isLast = false;
  let lastId: string | undefined;
  let free = () => {};
  let large: Message | undefined;
  const hold = () => new Promise<void>((resolve) => held.push(resolve));
  const lines = ["first", "second", "third"].map((what) =>
    lineOf(receiver.user, { data: JSON.stringify({ what }), id: names.ulid() }),
  );
  const options = { durable: "busy", concurrency: 3 };
  await receiver.subscribe("a.b", options, (message) => {
    let { what } = message.data as { readonly what: string };
    if (isLast && lastId === undefined && short.has(message.id)) lastId = message.id;
    if (message.id === lastId) what = "last place";
    received.push(what);
    if (message.attempt > 1) return undefined;
    switch (what) {
      case "frees":
        return new Promise<void>((resolve) => (free = resolve));
      case "large":
        large = message;
        return hold();
      case "first":
        return hold();
      case "last place":
        // One goes on in a microtask, and two are to be delivered again, of which one takes a while to be read.
        spool.deliver(receiver.user, "busy", lines.join(""));
        free();
        void large?.nack({ delayMs: 0 });
        void message.nack({ delayMs: 0 });
        return hold();
      default:
        return undefined;
    }
  });
  await delay(UNTIL_KNOWN_MS);
  const send = async (what: string, more = {}) => {
    const count = received.length;
    await publisher.publish("a.b", { what, ...more });
    await until(() => received.length > count);
    await delay(ALONE_MS);
  };
  for (let n = 0; n < 20; n++) await send("plain");
  await send("frees");
  await send("large", { text: "x".repeat(300_000) });
  isLast = true;
  await untilShort(short, () => send("plain"));
  await until(() => received.includes("first"));
  for (const finish of held) finish();
  await until(() => ["second", "third"].every((what) => received.includes(what)));
  const counts = ["first", "second", "third", "large", "last place"].map(
    (what) => received.filter((each) => each === what).length,
  );
  assert.deepEqual(counts, [1, 1, 1, 2, 2]);
});
