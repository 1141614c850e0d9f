import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { createSpool } from "#core/create-spool.js";
import { inspect, type SpoolStatus, type SubscriptionStatus } from "#core/status.js";
import { TestSpool, until } from "../support/spool.js";
import { NEEDS_ROOT, runAs, ThrowawayAccounts } from "../support/throwaway-accounts.js";

const DIST = new URL("../../../dist/", import.meta.url).href;

test("status tells of every subscription who owns it, what it takes, what waits in it and who consumes it", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  await (await bus.subscribe(["build.*", "deploy"], { durable: "ci", maxBacklog: 7 })).close();
  await bus.publish("build.done", 1, { priority: 9 });
  await bus.publish("deploy", 2, { priority: 0 });
  let isBegun = false;
  await bus.subscribe("now", { maxAttempts: 1 }, () => {
    isBegun = true;
    return new Promise(() => {});
  });
  await bus.publish("now", 3);
  await until(() => isBegun);

  const { subscriptions, ...rest } = await inspect({ spool: spool.path });
  assert.deepEqual(rest, { ...bus.spool, user: bus.user, channels: [] });
  const [ci, inbox, now, ...others] = subscriptions as [SubscriptionStatus, SubscriptionStatus, SubscriptionStatus];
  assert.deepEqual(others, []);
  const { oldestMs, ...facts } = ci;
  assert.ok(oldestMs !== null && oldestMs >= 0 && oldestMs < 60_000);
  const common = { owner: bus.user, inWork: 0, retries: 0, dead: 0, consumers: [] };
  assert.deepEqual(facts, {
    ...common,
    ...{ label: `${bus.user}~ci`, kind: "durable", patterns: ["build.*", "deploy"], address: null },
    ...{ backlog: 2, maxBacklog: 7 },
  });
  assert.deepEqual(inbox, {
    ...common,
    ...{ label: `${bus.user}~inbox`, kind: "inbox", patterns: [], address: `@${bus.user}` },
    ...{ backlog: 0, maxBacklog: 100_000, oldestMs: null },
  });
  assert.deepEqual([now.kind, now.backlog, now.inWork], ["ephemeral", 0, 1]);
  assert.deepEqual(alive(now), [[process.pid, true]]);
});

test("status finds the consumer of a durable subscription, alone or shared, and tells when it is dead", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  await bus.subscribe("a", { durable: "alone" });
  const shared = (await bus.subscribe("b", { durable: "together", shared: true }))[Symbol.asyncIterator]();
  const labels = async () => {
    const { subscriptions } = await inspect({ spool: spool.path });
    return Object.fromEntries(subscriptions.map((each) => [each.label.split("~")[1], alive(each)]));
  };
  const here = [process.pid, true];
  assert.deepEqual(await labels(), { alone: [here], inbox: [], together: [here] });
  await bus.publish("b", 1);
  await shared.next();
  assert.deepEqual(await labels(), { alone: [here], inbox: [], together: [here] });

  const script = `import { openBus } from "${DIST}index.js";
    const bus = await openBus({ spool: ${JSON.stringify(spool.path)} });
    await bus.subscribe("c", { durable: "crashed" });
    process.kill(process.pid, "SIGKILL");`;
  await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]).catch(() => undefined);
  const { subscriptions } = await inspect({ spool: spool.path });
  const crashed = subscriptions.find(({ label }) => label.endsWith("~crashed"));
  assert.deepEqual(
    crashed?.consumers.map(({ isAlive }) => isAlive),
    [false],
  );
});

test("status shows who consumes a queue or a shared subscription, also while they wait", async (context) => {
  const spool = await TestSpool.make(context);
  const [one, two] = [await spool.bus(), await spool.bus()];
  const queue = await one.subscribe("work", { queue: "work" }, () => undefined);
  const shared = await Promise.all(
    [one, two].map((bus) => bus.subscribe("work", { durable: "ci", shared: true }, () => undefined)),
  );
  const consumers = async () => {
    const { subscriptions } = await inspect({ spool: spool.path });
    const of = (label: string) => subscriptions.find((each) => each.label === label)?.consumers;
    return [of("queue:work"), of(`${one.user}~ci`)].map((all) => all?.map(({ pid, isAlive }) => [pid, isAlive]));
  };
  const here = [process.pid, true];
  await until(async () => (await consumers()).flat().length === 3);
  assert.deepEqual(await consumers(), [[here], [here, here]]);
  await shared[0]?.close();
  await queue.close();
  await until(async () => (await consumers()).flat().length === 1);
  assert.deepEqual(await consumers(), [[], [here]]);
  await two.close();
  assert.deepEqual(await consumers(), [[], []]);
});

test("status counts what waits for another attempt and what is dead, and changes nothing", async (context) => {
  const spool = await TestSpool.make(context);
  const bus = await spool.bus();
  const messages = (await bus.subscribe("job", { durable: "jobs" }))[Symbol.asyncIterator]();
  // Each in a file of its own, which nothing is appended to.
  for (const n of [1, 2, 3]) await bus.publish("job", n, { sync: "data" });
  await (await messages.next()).value?.nack({ delayMs: 60_000 });
  await (await messages.next()).value?.reject("no");
  const before = everything(spool.path);
  const jobs = (await inspect({ spool: spool.path })).subscriptions.find(({ label }) => label.endsWith("~jobs"));
  assert.deepEqual([jobs?.backlog, jobs?.inWork, jobs?.retries, jobs?.dead], [1, 0, 1, 1]);
  assert.deepEqual(everything(spool.path), before);
});

test(
  "another member sees how much waits, also in an inbox, but neither what is dead nor an inbox's ages",
  {
    skip: NEEDS_ROOT,
  },
  async (context) => {
    const accounts = new ThrowawayAccounts(2, 0);
    const base = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "agentbus-status-")));
    context.after(() => {
      fs.rmSync(base, { recursive: true, force: true });
      accounts.remove();
    });
    fs.chmodSync(base, 0o755);
    const path = join(base, "spool");
    await createSpool({ spool: path, group: accounts.group, env: {} });
    const [alice, bob] = [accounts.member(0), accounts.member(1)];
    const as = (user: string, code: string) =>
      runAs(
        user,
        `import { openBus } from "${DIST}index.js";
import { inspect } from "${DIST}status.js";
const spool = ${JSON.stringify(path)};
${code}`,
      );
    await as(
      alice,
      `const bus = await openBus({ spool }); await (await bus.subscribe("x", { durable: "ci" })).close();
     await bus.publish("x", 1); await bus.publish("@${alice}", 2); await bus.close();`,
    );
    const look = async (user: string) => {
      const status = JSON.parse(await as(user, `console.log(JSON.stringify(await inspect({ spool })))`)) as SpoolStatus;
      return status.subscriptions.map(({ label, owner, backlog, oldestMs, inWork, retries, dead }) => ({
        ...{ name: label.split("~")[1], isAlices: owner === alice, backlog, inWork, retries, dead },
        hasAge: oldestMs !== null,
      }));
    };
    const unseen = { isAlices: true, backlog: 1, inWork: null, retries: null, dead: null };
    assert.deepEqual(await look(bob), [
      { ...unseen, name: "ci", hasAge: true },
      { ...unseen, name: "inbox", hasAge: false },
    ]);
    const own = { isAlices: true, backlog: 1, inWork: 0, retries: 0, dead: 0, hasAge: true };
    assert.deepEqual(await look(alice), [
      { ...own, name: "ci" },
      { ...own, name: "inbox" },
    ]);
    assert.deepEqual(
      fs.readdirSync(join(path, "subscriptions")).filter((name) => name.startsWith(bob)),
      [],
    );
  },
);

function alive({ consumers }: SubscriptionStatus): (number | boolean)[][] {
  return consumers.map(({ pid, isAlive }) => [pid, isAlive]);
}

/** Names, inodes and change times. */
function everything(dir: string): string[] {
  return fs.readdirSync(dir, { recursive: true, encoding: "utf8" }).map((name) => {
    const { ino, ctimeMs } = fs.lstatSync(join(dir, name));
    return name.startsWith("run/") ? name : `${name} ${ino} ${ctimeMs}`;
  });
}
