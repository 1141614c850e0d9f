import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import * as validators from "#core/generated/validators.js";

type Sample = Record<string, unknown>;

const sourceDir = new URL("../../../../schemas/", import.meta.url);
const shippedDir = new URL("../../dist/schemas/", import.meta.url);
/** Those that core reads; packages/setup has its own, and its own test. */
const names = readdirSync(sourceDir).filter((name) => name.endsWith(".schema.json") && name !== "setup.schema.json");
const schemas = new Map(names.map((name) => [name.replace(".schema.json", ""), read(name)]));

const now = "2026-03-01T12:00:00.000Z";
const envelope: Sample = {
  specversion: "1.0",
  id: "01JQ00000000000000000000A0",
  source: "/agents/alice",
  type: "build.done",
  time: now,
  topic: "build.done",
};
const presence: Sample = {
  user: "alice",
  token: "k3jx7q",
  pid: 4711,
  startTime: "123456",
  bootId: "5b4e0f0e-6d2c-4c39-9b7f-0c1d2e3f4a5b",
  pidNamespace: "pid:[4026531836]",
  startedAt: now,
};
const durable: Sample = {
  layout: 1,
  kind: "durable",
  user: "alice",
  name: "ci",
  patterns: ["build.**"],
  createdAt: now,
};
const inbox: Sample = { ...durable, kind: "inbox", name: "inbox", patterns: [], address: "@alice" };
const spool: Sample = { layout: 1, kind: "group", group: "agents", createdAt: now };
const reason: Sample = {
  layout: 1,
  reason: "rejected",
  detail: "no such branch",
  at: now,
  attempts: 1,
  id: "01JQ00000000000000000000A0",
  topic: "build.done",
  sender: { uid: 1001, user: "bob" },
  file: "5-01JQ00000000000000000000A0-abcdefghijklmnopqrstuvwxyz.json",
  bytes: 300,
};

const channel: Sample = {
  kind: "pipe",
  role: "sender",
  peer: "bob",
  messages: 7,
  bytes: 4_096,
  refused: 0,
  messagesPerSecond: 1.5,
  bytesPerSecond: 900,
  openedAt: now,
};

/** What each schema must take, and what it must refuse. */
const samples: Record<string, { readonly good: unknown[]; readonly bad: unknown[] }> = {
  channels: {
    good: [
      { token: "k3jx7q", channels: [] },
      {
        token: "k3jx7q",
        channels: [channel, { ...channel, kind: "socket", role: "server", name: "search", peer: null }],
      },
    ],
    bad: [
      {},
      { token: "../k3jx7q", channels: [] },
      { token: "k3jx7q", channels: [{ ...channel, kind: "queue" }] },
      { token: "k3jx7q", channels: [{ ...channel, peer: "@bob" }] },
      { token: "k3jx7q", channels: [{ ...channel, messages: -1 }] },
    ],
  },
  envelope: {
    good: [
      envelope,
      { ...envelope, to: "@codebot" },
      { ...envelope, to: "@codebot~reply-k3jx7q", topic: "direct" },
      ...[null, 0, "text", [], {}, { nested: [null] }].map((data) => ({ ...envelope, data })),
      { ...envelope, data_base64: "AAEC", datacontenttype: "application/octet-stream" },
      { ...envelope, priority: 0, hops: 16, sequence: "0001", expirytime: now, replyto: "@alice" },
      { ...envelope, time: "2026-03-01T12:00:00Z" },
      { ...envelope, time: "2026-03-01T23:59:59.123456789+14:00" },
      { ...envelope, myextension: "text", anumber: -15, aboolean: false, a234567890123456789z: "" },
      {
        ...envelope,
        longerthancloudeventsrecommends: "x",
        dataschema: "urn:example:build:1",
        dataref: "../build.json",
      },
      { ...envelope, dataschema: "https://example.org/%7Ebuild/schema.json?v=1#/$defs/done" },
      { ...envelope, traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "a=1,b=2" },
      { ...envelope, id: "9f1c2d3e-0000-4000-8000-000000000000", source: "https://example.org/ci?a=b" },
      { ...envelope, subject: "überraschung 🎉", type: "org.example.häppens" },
      { ...envelope, topic: "a".repeat(200) },
    ],
    bad: [
      ...[null, 1, "text", []],
      ...Object.keys(envelope).map((name) => without(envelope, name)),
      ...Object.keys(envelope).map((name) => ({ ...envelope, [name]: null })),
      { ...envelope, specversion: "0.3" },
      ...["", "a\nb", "ü", "x".repeat(129), 7].map((id) => ({ ...envelope, id })),
      ...["", "/agents/a b", "/agents/ä"].map((source) => ({ ...envelope, source })),
      ...["", "a..b", ".a", "a.", "a b", "a.*", "a/b", "ä", "a".repeat(201), "a\n"].map((topic) => ({
        ...envelope,
        topic,
      })),
      ...["", "yesterday", "2026-03-01", "2026-13-01T00:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T00:00:00", 0].map(
        (time) => ({ ...envelope, time }),
      ),
      ...["codebot", "@", "@a b", "@../x", "@a~", "@a~b~c", "@.x", `@${"a".repeat(65)}`].map((to) => ({
        ...envelope,
        to,
      })),
      ...[-1, 10, 1.5, "5"].map((priority) => ({ ...envelope, priority })),
      ...[-1, 0.5, "1", 2 ** 31].map((hops) => ({ ...envelope, hops })),
      ...[{}, [], null, 0.5].map((extension) => ({ ...envelope, extension })),
      ...["Upper", "under_score", "", "__proto__x", "a-b"].map((name) => ({
        ...envelope,
        [name]: "x",
      })),
      JSON.parse(`{"__proto__":"x",${JSON.stringify(envelope).slice(1)}`),
      { ...envelope, data: 1, data_base64: "AAEC" },
      { ...envelope, data_base64: 1 },
      ...["build.schema.json", "#done", "https:", "https://x/%zz", "https://x/ y", 1].map((dataschema) => ({
        ...envelope,
        dataschema,
      })),
      { ...envelope, traceparent: "garbage" },
      { ...envelope, type: "a\u0000b" },
      { ...envelope, subject: "" },
    ],
  },
  presence: {
    good: [
      presence,
      { ...presence, startTime: null, bootId: null, pidNamespace: null },
      { ...presence, later: 1 },
      { ...presence, consumes: ["queue:work"] },
    ],
    bad: [
      ...Object.keys(presence).map((name) => without(presence, name)),
      { ...presence, pid: 0 },
      { ...presence, consumes: "queue:work" },
      { ...presence, consumes: Array.from({ length: 101 }, () => "queue:work") },
      { ...presence, token: "../x" },
      { ...presence, user: "a/b" },
    ],
  },
  subscription: {
    good: [
      durable,
      { ...durable, patterns: ["**", "*", "a.*.b", "a.**", "*.**"], maxBacklog: 10, maxAttempts: 1 },
      { ...durable, kind: "ephemeral", name: "tmp-k3jx7q", consumer: presence },
      inbox,
      { ...inbox, kind: "reply", name: "reply-k3jx7q", address: "@alice~reply-k3jx7q", consumer: presence },
      without({ ...durable, kind: "queue" }, "user"),
    ],
    bad: [
      ...Object.keys(durable).map((name) => without(durable, name)),
      ...["", "a.**.b", "a*", "**.a", "a..b", ".", "a.", ">", "#", "@alice", "a".repeat(201)].map((pattern) => ({
        ...durable,
        patterns: [pattern],
      })),
      { ...durable, layout: 2 },
      { ...durable, kind: "temporary" },
      { ...durable, patterns: [] },
      { ...durable, patterns: "build.**" },
      { ...durable, name: "a~b" },
      { ...durable, address: "@alice" },
      { ...durable, maxBacklog: 0 },
      { ...durable, kind: "queue" },
      { ...durable, kind: "ephemeral" },
      { ...durable, kind: "ephemeral", consumer: { pid: 1 } },
      { ...inbox, patterns: ["**"] },
      without(inbox, "address"),
    ],
  },
  spool: {
    good: [
      spool,
      { ...spool, limits: {} },
      { ...spool, limits: { maxEnvelopeBytes: 4194304, maxHops: 16, maxBacklog: 100000 }, relays: ["bridge"] },
      without({ ...spool, kind: "personal" }, "group"),
    ],
    bad: [
      ...Object.keys(spool).map((name) => without(spool, name)),
      { ...spool, layout: 2 },
      { ...spool, kind: "personal" },
      { ...spool, limits: { maxEnvelopBytes: 1 } },
      { ...spool, limits: { maxHops: 0 } },
      { ...spool, relays: ["a b"] },
    ],
  },
  reason: {
    good: [reason, { ...reason, reason: "not-a-file", id: null, topic: null, sender: null, bytes: null, attempts: 0 }],
    bad: [...Object.keys(reason).map((name) => without(reason, name)), { ...reason, reason: "bored" }],
  },
  "private-record": {
    good: [{ sender: { uid: 0, user: "root" }, envelope }],
    bad: [{ envelope }, { sender: { uid: 0 }, envelope }, { sender: { uid: 0, user: "root" }, envelope: {} }],
  },
};

for (const [name, schema] of schemas) {
  describe(`${name}.schema.json`, () => {
    const validate = validators[validatorName(name)];
    const { good, bad } = samples[name] ?? { good: [], bad: [] };

    test("has samples to accept and to refuse", () => {
      assert.ok(good.length > 0 && bad.length > 0);
    });

    test("accepts what agentbus and others may write", () => {
      for (const sample of good) assert.ok(validate(sample), `${show(sample)}: ${show(validate.errors)}`);
    });

    test("refuses everything else, and says where it is wrong", () => {
      for (const sample of bad) {
        assert.ok(!validate(sample), show(sample));
        const [violation] = validate.errors ?? [];
        assert.equal(typeof violation?.instancePath, "string");
        assert.equal(typeof violation?.message, "string");
      }
    });

    test("means the same to ajv at run time as compiled into the package", () => {
      const ajv = new Ajv2020({ allowUnionTypes: true });
      for (const each of schemas.values()) ajv.addSchema(each);
      for (const sample of [...good, ...bad]) {
        assert.equal(validate(sample), ajv.validate(String(schema["$id"]), sample), show(sample));
      }
    });

    test("describes every property", () => {
      for (const [path, property] of properties(schema)) assert.equal(typeof property["description"], "string", path);
    });

    test("is shipped as it is", () => {
      assert.deepEqual(read(`${name}.schema.json`, shippedDir), schema);
    });
  });
}

test("every time that an envelope may have is one that Date understands", () => {
  for (const { time } of (samples["envelope"]?.good ?? []) as { time: string }[]) assert.ok(Date.parse(time) > 0, time);
  assert.ok(!Number.isNaN(Date.parse("2026-02-31T23:59:59Z")));
});

test("the compiled validators need nothing at run time", () => {
  const code = readFileSync(new URL("../../dist/generated/validators.js", import.meta.url), "utf8");
  assert.doesNotMatch(code, /\brequire\s*\(|^\s*import\b|\bimport\s*\(/m);
});

function read(name: string, dir: URL = sourceDir): Sample {
  return JSON.parse(readFileSync(new URL(name, dir), "utf8")) as Sample;
}

function validatorName(name: string): keyof typeof validators {
  const pascal = name.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return `validate${pascal}` as keyof typeof validators;
}

function without(sample: Sample, name: string): Sample {
  return Object.fromEntries(Object.entries(sample).filter(([each]) => each !== name));
}

function show(value: unknown): string {
  return JSON.stringify(value);
}

/** Every property that a schema declares, with the path to it; those of a condition aside, which only narrow others. */
function* properties(schema: Sample, path = ""): Generator<[string, Sample]> {
  for (const [key, value] of Object.entries(schema)) {
    if (key === "if" || typeof value !== "object" || value === null) continue;
    if (key === "properties") {
      for (const [name, property] of Object.entries(value as Record<string, Sample>))
        yield [`${path}/${name}`, property];
    }
    yield* properties(value as Sample, `${path}/${key}`);
  }
}
