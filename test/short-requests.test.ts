import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isBusError, type Bus, type Envelope } from "@agentbus/core";
import { createBus } from "#core/open-bus.js";
import { PersonalSpool, until } from "./support/personal-spool.js";
import { countShort, UNTIL_KNOWN_MS } from "./support/short-way.js";

const REQUESTS = 200;

async function openedBus(context: TestContext, spool: PersonalSpool): Promise<Bus> {
  const bus = await createBus({ spool: spool.path }, { env: {} });
  context.after(() => bus.close());
  return bus;
}

test("requests and their answers go the short way, each to the one that asked", async (context) => {
  const spool = await PersonalSpool.make(context);
  const [asking, answering] = [await openedBus(context, spool), await openedBus(context, spool)];
  const requests: Envelope[] = [];
  await answering.respond("math.double", ({ data, envelope }) => {
    requests.push(envelope);
    return 2 * (data as number);
  });
  await asking.request("math.double", 0);
  await delay(UNTIL_KNOWN_MS);
  const short = countShort(context);
  for (let n = 0; n < REQUESTS; n++) {
    const { data, envelope, type, topic } = await asking.request<number>("math.double", n);
    const request = requests.at(-1);
    assert.equal(data, 2 * n);
    assert.equal(request?.data, n);
    assert.deepEqual([topic, type], ["math.double", "math.double.reply"]);
    const { to, causationid, correlationid, hops } = envelope;
    assert.deepEqual([to, causationid, correlationid, hops], [request?.replyto, request?.id, request?.id, 1]);
    const lifeMs = Date.parse(request?.expirytime ?? "") - Date.parse(request?.time ?? "");
    assert.equal(lifeMs, 30_000);
  }
  assert.ok(short.count > REQUESTS / 2, `only ${short.count} by the short way`);
});

test("where requests go the short way, failures are told, and promises awaited", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await openedBus(context, spool);
  await bus.respond("maybe", async ({ data }) => {
    const n = data as number;
    if (n % 5 === 1) throw new Error(`not ${n}`);
    if (n % 5 === 2) await delay(1);
    return n;
  });
  await bus.request("maybe", 0);
  await delay(UNTIL_KNOWN_MS);
  const short = countShort(context);
  for (let n = 0; n < REQUESTS; n++) {
    const asking = bus.request("maybe", n);
    if (n % 5 === 1) await assert.rejects(asking, { code: "ERR_RESPONDER", message: new RegExp(`not ${n}`) });
    else assert.equal((await asking).data, n);
  }
  assert.ok(short.count > REQUESTS / 4, `only ${short.count} by the short way`);
});

test("each request is given up in its own time, in whatever order they were made", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await openedBus(context, spool);
  await bus.subscribe("silent", () => undefined);
  const givenUp: number[] = [];
  const asking = [400, 100, 600_000, 250].map((timeoutMs) =>
    bus.request("silent", null, { timeoutMs }).catch((error: unknown) => {
      assert.ok(isBusError(error));
      if (error.code === "ERR_TIMEOUT") givenUp.push(timeoutMs);
    }),
  );
  await until(() => givenUp.length === 3);
  assert.deepEqual(givenUp, [100, 250, 400]);
  await bus.close();
  await Promise.all(asking);
  assert.equal(givenUp.length, 3);
});

test("messages that lead to one another count their hops by the short way too, and end", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await openedBus(context, spool);
  const { maxHops } = bus.spool.limits;
  let hops: (number | undefined)[] = [];
  let end: unknown;
  await bus.subscribe("a.b", async ({ envelope }) => {
    hops.push(envelope.hops);
    await bus.publish("a.b", null).catch((error: unknown) => (end = error));
  });
  await delay(UNTIL_KNOWN_MS);
  const short = countShort(context);
  for (let round = 0; round < 5; round++) {
    [hops, end] = [[], undefined];
    await bus.publish("a.b", null);
    await until(() => end !== undefined);
    assert.ok(isBusError(end));
    assert.equal(end.code, "ERR_HOPS");
    assert.deepEqual(
      hops.map((count) => count ?? 0),
      Array.from({ length: maxHops + 1 }, (_, n) => n),
    );
  }
  assert.ok(short.count > maxHops, `only ${short.count} by the short way`);
});
