import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { openBus, type OpenBusOptions } from "@agentbus/core";
import { createBus } from "#core/open-bus.js";
import { createSpool } from "#core/create-spool.js";

const CORE = import.meta.resolve("@agentbus/core");

/** More than the 16,384 events that inotify keeps for a process that does not fetch them. */
const MESSAGES = 30_000;

async function makeSpool(context: TestContext): Promise<string> {
  const base = fs.mkdtempSync(join(tmpdir(), "agentbus-arrivals-"));
  context.after(() => fs.rmSync(base, { recursive: true, force: true }));
  const { path } = await createSpool({ spool: join(base, "spool"), env: {} });
  return path;
}

/** Publishes numbers from 0, each in a file of its own, in another process; this one is blocked until that is done. */
function publishMeanwhile(spool: string, count: number): void {
  const module = `import { openBus } from ${JSON.stringify(CORE)};
    const bus = await openBus({ spool: ${JSON.stringify(spool)} });
    for (let i = 0; i < ${count}; i++) await bus.publish("n", i);
    await bus.close();`;
  execFileSync(process.execPath, ["--input-type=module", "--eval", module], { stdio: "inherit" });
}

async function receiveAll(options: OpenBusOptions, count: number): Promise<void> {
  const bus = await openBus(options);
  const got: unknown[] = [];
  let finish: () => void = () => undefined;
  const all = new Promise<void>((resolve) => (finish = resolve));
  const subscription = await bus.subscribe("n", { durable: "all" }, ({ data }) => {
    if (got.push(data) === count) finish();
  });
  publishMeanwhile(options.spool ?? "", count);
  await all;
  assert.deepEqual(got, [...got.keys()], "each once, in order");
  assert.equal(subscription.stats.duplicates, 0);
  await bus.close();
}

describe("what arrives while the subscriber's event loop is blocked", () => {
  test(`is delivered whole and in order: ${MESSAGES} messages, more than the kernel keeps events`, async (context) => {
    await receiveAll({ spool: await makeSpool(context) }, MESSAGES);
  });

  test("also where the directory is polled", async (context) => {
    await receiveAll({ spool: await makeSpool(context), watch: "polling" }, 2_000);
  });
});

test("a subscription whose events never come finds everything by looking now and then", async (context) => {
  const spool = await makeSpool(context);
  const bus = await createBus({ spool, rescanMs: 50 });
  context.after(() => bus.close());
  const got: unknown[] = [];
  // A watch on another directory than the one that messages arrive in is one that never reports anything.
  const watch = fs.watch;
  const elsewhere = join(spool, "pipes");
  let watched = 0;
  fs.watch = (_dir: fs.PathLike, ...rest: unknown[]) => {
    watched++;
    return (watch as (...args: unknown[]) => fs.FSWatcher)(elsewhere, ...rest);
  };
  const subscribing = bus.subscribe("n", { durable: "deaf" }, ({ data }) => void got.push(data));
  await subscribing.finally(() => (fs.watch = watch));
  assert.equal(watched, 1);
  for (let i = 0; i < 100; i++) {
    await bus.publish("n", i);
    if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  while (got.length < 100) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(got, [...got.keys()]);
});
