import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Message } from "@agentbus/core";
import { NEEDS_ROOT } from "../support/caretaker.js";
import { GroupSpool } from "../support/group-spool.js";
import type { Failure, Tools } from "../support/person.js";
import { until } from "../support/personal-spool.js";

describe("permissions that are taken away under a running process", { skip: NEEDS_ROOT }, () => {
  let spool: GroupSpool;
  before(async () => (spool = await GroupSpool.make()));
  after(async () => spool.end());

  for (const part of ["outbox/<publisher>", "outbox", "subscriptions", "."]) {
    test(`${part}: a publish says which, stores nothing, and works with the same bus when they are back`, async () => {
      const { alice, bob } = spool;
      const topic = `published.${part.replaceAll(/\W/g, "-")}`;
      const name = topic.replace(".", "-");
      await bob.run(consume, spool.path, topic, name);
      await publish(topic, 1);
      const dir = spool.at(part.replace("<publisher>", alice.name));
      await without(dir, async () => {
        // A publisher goes by its last look for 10 ms.
        await delay(20);
        const failure = await alice.failureOf(
          async ({ openedBus }, path, destination) => (await openedBus(path)).publish(destination, "lost?"),
          spool.path,
          topic,
        );
        assertIsRefused(failure, spool.path);
      });
      assert.deepEqual(await publish(topic, 2), [`${bob.name}~${name}`]);
      const received = async () => (await bob.run(({ keep }, key) => keep[key] as { got: unknown[] }, topic)).got;
      await until(async () => (await received()).length === 2);
      assert.deepEqual(await received(), [1, 2]);
    });
  }

  for (const [deed, part] of [
    ["ack", "cur"],
    ["nack", "retry"],
    ["reject", "dead"],
  ] as const) {
    test(`${part}/: ${deed} is refused, the message stays in work, and is settled when they are back`, async () => {
      const { bob } = spool;
      const topic = `settled.${deed}`;
      await bob.run(take, spool.path, topic, deed);
      await publish(topic, "keep me");
      // Not only claimed: it is read as well.
      await bob.run(taken, topic);
      const entries = (name: string) => fs.readdirSync(spool.of(bob, deed, name));
      assert.equal(entries("cur").length, 1);
      await without(spool.of(bob, deed, part), async () => {
        assertIsRefused(await bob.failureOf(settle, topic, deed), spool.path);
        assert.equal(entries("cur").length, 1);
      });
      await bob.run(settle, topic, deed);
      if (deed === "nack") assert.deepEqual(await bob.run(takeAgain, topic), ["keep me", 2]);
      else assert.deepEqual(entries("cur"), []);
      assert.equal(entries("dead").length, deed === "reject" ? 3 : 0);
    });
  }

  for (const parts of [[], ["new"], [".", "new"]]) {
    const also = parts.map((part) => ` and ${part}`).join("");
    test(`cur/${also} of a subscription: its consumer goes on when they are back, and has missed nothing`, async () => {
      const { bob } = spool;
      const name = `all-${parts.length}`;
      const topic = `consumed.${name}`;
      await bob.run(consume, spool.path, topic, name);
      const state = () => bob.run(({ keep }, key) => keep[key] as { got: unknown[]; ended: string }, topic);
      await publish(topic, 1);
      await until(async () => (await state()).got.length === 1);
      await without(spool.of(bob, name, "cur"), async () => {
        for (const n of [2, 3, 4]) await publish(topic, n);
        let shut = () => new Promise<void>((resolve) => setTimeout(resolve, 1_500));
        for (const part of [...parts].reverse()) {
          const inner = shut;
          shut = () => without(spool.of(bob, name, part), inner);
        }
        await shut();
        assert.deepEqual((await state()).got, [1]);
      });
      await publish(topic, 5);
      await until(async () => (await state()).got.length === 5 || (await state()).ended !== "");
      assert.deepEqual(await state(), { got: [1, 2, 3, 4, 5], ended: "" });
    });
  }

  async function publish(topic: string, data: unknown): Promise<readonly string[]> {
    const task = async ({ openedBus }: Tools, path: string, destination: string, content: unknown) =>
      (await (await openedBus(path)).publish(destination, content)).subscriptions;
    return spool.alice.run(task, spool.path, topic, data);
  }
});

interface Iteration {
  readonly messages: AsyncIterator<Message>;
  message: Promise<IteratorResult<Message>>;
}

/** A task: subscribes, and takes the first message. */
async function take({ openedBus, keep }: Tools, path: string, topic: string, durable: string): Promise<void> {
  const options = { durable, backoff: { minMs: 1, maxMs: 1 } };
  const messages = (await (await openedBus(path)).subscribe(topic, options))[Symbol.asyncIterator]();
  keep[topic] = { messages, message: messages.next() } satisfies Iteration;
}

/** A task: waits until it is taken. */
async function taken({ keep }: Tools, topic: string): Promise<void> {
  await (keep[topic] as Iteration).message;
}

/** A task: settles what was taken. */
async function settle({ keep }: Tools, topic: string, deed: "ack" | "nack" | "reject"): Promise<void> {
  await ((await (keep[topic] as Iteration).message).value as Message)[deed]();
}

async function takeAgain({ keep }: Tools, topic: string): Promise<unknown> {
  const { data, attempt } = (await (keep[topic] as Iteration).messages.next()).value as Message;
  return [data, attempt];
}

/** A task: subscribes, and keeps what it handles, and why it ended, under the topic. */
async function consume({ openedBus, keep }: Tools, path: string, topic: string, durable: string): Promise<void> {
  const state = { got: [] as unknown[], ended: "" };
  keep[topic] = state;
  const subscription = await (
    await openedBus(path)
  ).subscribe(topic, { durable }, ({ data }) => void state.got.push(data));
  subscription.done.catch((error: unknown) => (state.ended = String(error)));
}

/** Takes all permissions of a directory away for a while. */
async function without(dir: string, action: () => Promise<void>): Promise<void> {
  const mode = fs.statSync(dir).mode & 0o7777;
  fs.chmodSync(dir, 0o000);
  try {
    await action();
  } finally {
    fs.chmodSync(dir, mode);
  }
}

function assertIsRefused({ code, fix, message }: Failure, spoolPath: string): void {
  assert.equal(code, "ERR_ACCESS", message);
  assert.ok(message.includes(spoolPath) || message.includes("deliver to"), message);
  assert.equal(fix, "agentbus doctor");
}
