import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { isBusError, type Bus, type Envelope, type Message } from "@agentbus/core";
import { CloudEvent, HTTP } from "cloudevents";
import { PersonalSpool, publishTogether, until } from "./support/personal-spool.js";

const STRUCTURED = { "content-type": "application/cloudevents+json" };

test("every kind of envelope that agentbus writes is a CloudEvent to the SDK, with all its attributes", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  const envelopes = await publishAllKinds(bus);
  // Found by what they have, so that none of them goes missing from this test.
  const kinds: Record<string, (envelope: Envelope) => boolean> = {
    "without data": (e) => !("data" in e) && !("data_base64" in e),
    "null data": (e) => e.data === null,
    "binary data": (e) => e.data_base64 === "AAEC/w==",
    "empty binary data": (e) => e.data_base64 === "",
    "a direct message": (e) => e.to === `@${bus.user}`,
    "a request": (e) => e.replyto !== undefined,
    "an answer": (e) => e.to?.includes("~reply-") === true && e.replyerror === undefined,
    "a failed answer": (e) => e.replyerror === "no such branch",
    "one published while handling another": (e) => e.hops === 1 && e.causationid !== undefined,
    "every option": (e) => e["anumber"] === -7,
  };
  for (const [kind, is] of Object.entries(kinds)) assert.ok(envelopes.some(is), `no envelope is ${kind}`);

  for (const envelope of envelopes) {
    const event = new CloudEvent({ ...envelope }, true);
    const parsed = HTTP.toEvent({ headers: STRUCTURED, body: JSON.stringify(envelope) }) as CloudEvent<unknown>;
    assert.ok(parsed.validate());
    const { data, data_base64, ...attributes } = envelope;
    for (const [name, value] of Object.entries(attributes)) {
      assert.deepEqual(event[name], value, name);
      assert.deepEqual(parsed[name], value, name);
    }
    if (data_base64 !== undefined) assert.equal(event.data_base64, data_base64);
    else assert.deepEqual(event.data, data);
  }
});

test("what the SDK writes in structured JSON is delivered, whatever its id, data and extensions", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  const received: Message[] = [];
  const refused: string[] = [];
  const onRefused = ({ detail }: { detail: string }) => void refused.push(detail);
  const subscription = await bus.subscribe("**", { durable: "all", onRefused }, (message) => received.push(message));
  const common = { source: `/agents/${bus.user}`, type: "com.example.build", topic: "build.done" };
  const events: CloudEvent<unknown>[] = [
    new CloudEvent({ ...common }),
    new CloudEvent({ ...common, id: randomUUID(), subject: "überraschung", data: { nested: [1, null, "two"] } }),
    new CloudEvent({ ...common, id: "build 17 of 4f2a", datacontenttype: "text/plain", data: "plain text" }),
    new CloudEvent({ ...common, datacontenttype: "application/xml", data: "<done/>" }),
    new CloudEvent({ ...common, datacontenttype: "application/octet-stream", data: Uint8Array.from([0, 1, 2, 255]) }),
    new CloudEvent<unknown>({ ...common, data_base64: "AAEC/w==" }),
    ...[null, 0, false, "", [1]].map((data) => new CloudEvent<unknown>({ ...common, data })),
    new CloudEvent({
      ...common,
      time: "2026-03-01T13:00:00.123456789+14:00",
      dataschema: "https://example.org/done#v1",
    }),
    new CloudEvent({ ...common, partitionkey: "k", sampledrate: 3, sampled: true, longerthantwentycharacters: "x" }),
    // The SDK writes what was set to null as null, which CloudEvents takes for absent.
    new CloudEvent({ ...common, subject: null, dataschema: null, comment: null, data: { stays: null } } as never),
    new CloudEvent({ ...common, priority: 1, hops: 2, correlationid: "c-1", expirytime: "2999-01-01T00:00:00Z" }),
  ];
  for (const event of events) spool.deliver(bus.user, "all", `${HTTP.structured(event).body as string}\n`);
  await until(() => received.length + refused.length === events.length);

  assert.deepEqual(refused, []);
  for (const event of events) {
    const message = received.find(({ id }) => id === event.id);
    assert.ok(message, `${event.id} was not delivered`);
    assert.deepEqual(message.sender, { user: bus.user, uid: bus.uid });
    const { data, data_base64, ...attributes } = JSON.parse(JSON.stringify(event)) as Record<string, unknown>;
    const present = Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== null));
    const { data: readData, data_base64: readBase64, ...readAttributes } = message.envelope;
    assert.deepEqual(readAttributes, present);
    assert.deepEqual({ readData, readBase64 }, { readData: data, readBase64: data_base64 });
    if (data_base64 !== undefined) assert.deepEqual(message.data, Buffer.from([0, 1, 2, 255]));
  }
  await subscription.close();
});

test("what CloudEvents does not allow is neither written nor delivered", async (context) => {
  const spool = await PersonalSpool.make(context);
  const bus = await spool.bus();
  const wrong = [
    { extensions: { fraction: 0.5 } },
    { extensions: { Upper: "x" } },
    { extensions: { object: {} as unknown as string } },
    { dataSchema: "done.schema.json" },
  ];
  for (const options of wrong) {
    const failure = await bus.publish("build.done", {}, options).catch((error: unknown) => error);
    assert.ok(isBusError(failure) && failure.code === "ERR_ENVELOPE_INVALID", JSON.stringify(options));
  }
  const refused: string[] = [];
  const onRefused = ({ reason }: { reason: string }) => void refused.push(reason);
  await bus.subscribe("**", { durable: "all", onRefused }, () => assert.fail("delivered"));
  const common = {
    specversion: "1.0",
    id: "1",
    source: `/agents/${bus.user}`,
    type: "t",
    time: "2026-03-01T12:00:00Z",
  };
  const texts = [
    { ...common },
    { ...common, topic: "x", fraction: 0.5 },
    { ...common, topic: "x", specversion: "0.3" },
  ];
  for (const each of texts) spool.deliver(bus.user, "all", JSON.stringify(each));
  await until(() => refused.length === texts.length);
  assert.deepEqual(new Set(refused), new Set(["invalid-envelope"]));
});

/** Publishes with everything that the API offers, and gives the envelopes as their receivers read them. */
async function publishAllKinds(bus: Bus): Promise<Envelope[]> {
  const envelopes: Envelope[] = [];
  const collect = ({ envelope }: Pick<Message, "envelope">) => void envelopes.push(envelope);
  const everything = await bus.subscribe("**", collect);
  const inbox = await bus.subscribe(`@${bus.user}`, collect);
  const cause = await bus.subscribe("cause", async () => void (await bus.publish("effect", 1)));
  await bus.respond("double", (message) => {
    collect(message);
    if (message.data === null) throw new Error("no such branch");
    return (message.data as number) * 2;
  });

  await bus.publish("plain");
  const data = [
    null,
    0,
    false,
    "",
    "text",
    [1, [2]],
    { nested: { deep: null } },
    Buffer.from([0, 1, 2, 255]),
    Buffer.alloc(0),
  ];
  for (const each of data) await bus.publish("data", each);
  // These share a file.
  await publishTogether(bus, 3, (n) => bus.publish("together", n + 1));
  await bus.publish(`@${bus.user}`, { text: "please review" });
  await bus.publish("cause", 1, {
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    tracestate: "a=1",
  });
  collect(await bus.request("double", 21));
  // A failed answer as it is on the disk: for whoever calls `request`, it becomes an error.
  await bus.publish("double", null, { replyTo: `@${bus.user}` });
  await bus.publish("options", "hello", {
    ...{ id: "any id: 17", type: "com.example.done", subject: "4f2a", priority: 0, expiresInMs: 60_000 },
    ...{ correlationId: "c-1", replyTo: `@${bus.user}`, sequence: "0001", dataContentType: "text/plain" },
    ...{ dataSchema: "urn:example:done:1", dataRef: "../done.txt" },
    extensions: { atext: "x", anumber: -7, aboolean: false },
  });

  const published = 1 + data.length + 4 + 2 + 2 + 1;
  await until(() => everything.stats.acked === published && inbox.stats.acked === 2 && cause.stats.acked === 1);
  return envelopes;
}
