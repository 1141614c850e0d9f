import assert from "node:assert/strict";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createSpool } from "#core/create-spool.js";
import { NEEDS_ROOT, runAs, ThrowawayAccounts } from "../support/throwaway-accounts.js";

const CORE = new URL("../../../dist/index.js", import.meta.url).href;

describe("between accounts of one group", { skip: NEEDS_ROOT }, () => {
  let accounts: ThrowawayAccounts;
  let base: string;
  let spool: string;
  let alice: string;
  let bob: string;
  let carol: string;

  before(async () => {
    accounts = new ThrowawayAccounts(3, 0);
    [alice, bob, carol] = [accounts.member(0), accounts.member(1), accounts.member(2)];
    base = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "agentbus-accounts-")));
    fs.chmodSync(base, 0o755);
    spool = join(base, "spool");
    await createSpool({ spool, group: accounts.group, limits: { maxBacklog: 20 }, env: {} });
  });

  after(() => {
    fs.rmSync(base, { recursive: true, force: true });
    accounts.remove();
  });

  /** Runs code with an open `bus` as an account, under a hostile umask; what it returns comes back. */
  async function as(user: string, code: string): Promise<unknown> {
    const module = `import { openBus } from ${JSON.stringify(CORE)};
process.umask(0o077);
const bus = await openBus({ spool: ${JSON.stringify(spool)}, rescanMs: 100 });
const take = async (subscription, count) => {
  const got = [];
  if (count > 0) for await (const message of subscription) {
    got.push({ data: message.data, from: message.sender.user });
    await message.ack();
    if (got.length === count) break;
  }
  return got;
};
const outcome = await (async () => { ${code} })().catch((error) => ({ code: error.code, message: error.message, fix: error.fix, details: error.details }));
await bus.close();
console.log(JSON.stringify(outcome ?? null));`;
    return JSON.parse(await runAs(user, module)) as unknown;
  }

  test("a member's message reaches another's durable subscription, and the kernel says whose it is", async () => {
    await as(alice, `await (await bus.subscribe("build.**", { durable: "ci" })).close();`);
    const result = await as(bob, `return (await bus.publish("build.done", { n: 1 })).subscriptions;`);
    assert.deepEqual(result, [`${alice}~ci`]);
    const got = await as(alice, `return take(bus.subscribe("build.**", { durable: "ci" }), 1);`);
    assert.deepEqual(got, [{ data: { n: 1 }, from: bob }]);
  });

  test("a direct message waits in the inbox that setup or the first use made", async () => {
    await as(alice, "");
    await as(bob, `await bus.publish("@${alice}", "hello");`);
    assert.deepEqual(await as(alice, `return take(bus.subscribe("@${alice}"), 1);`), [{ data: "hello", from: bob }]);
  });

  test("an inbox that cannot be listed still counts what waits in it, over several senders", async () => {
    await as(bob, "");
    const send = `const stored = []; for (let i = 0; i < 12; i++) stored.push((await bus.publish("@${bob}", i)).subscriptions.length); return stored.length;`;
    assert.equal(await as(alice, send), 12);
    const refusal = (await as(carol, send)) as { code: string; message: string };
    assert.equal(refusal.code, "ERR_BACKLOG");
    const waiting = fs.readdirSync(join(spool, "subscriptions", `${bob}~inbox`, "new")).length;
    assert.equal(waiting, 20);
    assert.equal(((await as(bob, `return take(bus.subscribe("@${bob}"), 20);`)) as unknown[]).length, 20);
    assert.deepEqual(fs.readdirSync(join(spool, "subscriptions", `${bob}~inbox`, "tally")), []);
    assert.equal(await as(carol, send), 12);
  });

  test("a queue is worked off by any member, whoever made it", async () => {
    await as(alice, `await (await bus.subscribe("job.*", { queue: "work" })).close();`);
    await as(bob, `for (let i = 0; i < 3; i++) await bus.publish("job.new", i);`);
    const first = (await as(carol, `return take(bus.subscribe("job.*", { queue: "work" }), 2);`)) as unknown[];
    const second = (await as(alice, `return take(bus.subscribe("job.*", { queue: "work" }), 1);`)) as unknown[];
    const all = [0, 1, 2].map((data) => ({ data, from: bob }));
    assert.deepEqual([...first, ...second], all);
    const refusal = (await as(bob, `await bus.subscribe("other.*", { queue: "work" });`)) as {
      code: string;
      message: string;
    };
    assert.equal(refusal.code, "ERR_ACCESS");
    assert.match(refusal.message, new RegExp(alice));
  });

  test("a failed message of a queue is tried again by another account, with its sender still vouched for", async () => {
    await as(alice, `await (await bus.subscribe("task", { queue: "tasks" })).close();`);
    await as(bob, `await bus.publish("task", 1);`);
    await as(
      alice,
      `const s = await bus.subscribe("task", { queue: "tasks" }); for await (const m of s) { await m.nack({ delayMs: 1 }); break; }`,
    );
    const got = await as(
      carol,
      `for await (const m of bus.subscribe("task", { queue: "tasks" })) { await m.reject("no"); return [m.attempt, m.sender.user]; }`,
    );
    assert.deepEqual(got, [2, bob]);
    assert.equal(fs.readdirSync(join(spool, "queues", "tasks", "dead")).length, 3);
  });

  test("a request is answered across accounts", async () => {
    const responder = as(
      alice,
      `let done; const served = new Promise((resolve) => (done = resolve));
       await bus.respond("math.double", async ({ data }) => { setTimeout(done, 50); return data * 2; });
       await served;`,
    );
    const answer = as(
      bob,
      `for (;;) { try { const { data, sender } = await bus.request("math.double", 21); return [data, sender.user]; }
       catch (error) { if (error.code !== "ERR_NO_SUBSCRIPTION") throw error; await new Promise((r) => setTimeout(r, 20)); } }`,
    );
    assert.deepEqual(await answer, [42, alice]);
    await responder;
  });

  test("everything in the spool has the owner, the group and the mode of the table", () => {
    const gid = fs.statSync(spool).gid;
    for (const path of fs.readdirSync(spool, { recursive: true, encoding: "utf8" })) {
      const stat = fs.lstatSync(join(spool, path));
      assert.equal(stat.gid, gid, path);
      assert.equal(stat.mode & 0o007, 0, path);
    }
    const modeOf = (path: string) => (fs.lstatSync(join(spool, path)).mode & 0o7777).toString(8);
    assert.equal(modeOf(`subscriptions/${alice}~ci/new`), "3770");
    assert.equal(modeOf(`subscriptions/${alice}~ci`), "2750");
    assert.equal(modeOf(`subscriptions/${alice}~inbox/new`), "3730");
    assert.equal(modeOf(`subscriptions/${alice}~inbox/tally`), "3770");
    assert.equal(modeOf(`subscriptions/${alice}~inbox/cur`), "700");
    assert.equal(modeOf(`outbox/${bob}`), "2700");
    assert.equal(modeOf("queues/work/new"), "2770");
  });
});
