import assert from "node:assert/strict";
import { test } from "node:test";
import type { Cause } from "#core/context.js";
import { composeEnvelope, isJson } from "#core/envelope.js";
import { attributesOf, EnvelopeFrame, replyTypeOf } from "#core/envelope-frame.js";
import { textRoom } from "#core/flat-json.js";
import { NameSource } from "#core/message-name.js";

const ID = "01JQ6T8Z1V4M9X7C2B5N8K3D6F";
const SOURCE = "/agents/alice";
const TOPIC = "build.linux_x-64.done";
const NOW = Date.parse("2026-01-31T12:59:07.004Z");

function longWay(data: unknown, now = NOW): string {
  return `${JSON.stringify(composeEnvelope({ id: ID, source: SOURCE, topic: TOPIC, data, now }, {}))}\n`;
}

const FRAME = new EnvelopeFrame(SOURCE, TOPIC, TOPIC, undefined);

function shortWay(data: unknown, now = NOW): string | undefined {
  return FRAME.text(ID, now, "", data);
}

/** With a member that is its own, not its prototype. */
const PROTOTYPE = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}') as unknown;
const SPARSE: unknown[] = [];
SPARSE[2] = "third";

class Money {
  constructor(readonly cents: number) {}
  get currency(): string {
    return "EUR";
  }
  toJSON(member: string): unknown {
    return { [member]: `${this.cents}`, toJSON: "not a function" };
  }
}

const WRITABLE: readonly (readonly [string, unknown])[] = [
  ["null", null],
  ["numbers", [0, -0, 1e21, 5e-324, Number.MAX_SAFE_INTEGER]],
  ["a number that JSON has not", NaN],
  ["infinity", -Infinity],
  ["booleans", false],
  ["an empty text", ""],
  ["what JSON escapes", 'a "quote", a \\ and \b\f\n\r\t\u0000\u001f\u007f'],
  ["line ends that JSON does not escape", "\u0085\u2028\u2029"],
  ["other scripts", "ü 漢 😀 \ufeff \ufffd"],
  ["surrogates without their other half", "\ud800 a \udc00\ud800"],
  ["an empty object", {}],
  ["an empty list", []],
  ["members that are undefined", { a: undefined, b: [undefined, () => 1, Symbol("s")], c: () => 1 }],
  ["members of the names of attributes", { id: "x", data: 1, type: "}", specversion: "0.3", topic: "elsewhere" }],
  ["a member called __proto__", PROTOTYPE],
  ["no prototype", Object.assign(Object.create(null), { a: 1 })],
  ["a date", new Date(NOW)],
  ["a date that is none", new Date(NaN)],
  ["a list with gaps", SPARSE],
  ["boxed values", [Object("text"), Object(7), Object(true)]],
  ["a boxed text", Object("text")],
  ["bytes inside", { bytes: Buffer.from("abc"), raw: new Uint8Array([1, 2]) }],
  ["words that are no Uint8Array", new Uint16Array([1, 65_535])],
  ["a map, of which nothing is written", new Map([[1, 2]])],
  ["toJSON", new Money(12)],
  ["toJSON inside", { price: new Money(12) }],
  ["toJSON that gives bytes", { toJSON: () => new Uint8Array([1]) }],
  ["toJSON that gives null", { toJSON: () => null }],
  ["a getter", Object.defineProperty({}, "now", { enumerable: true, get: () => 1 })],
  ["what is inherited", Object.create({ inherited: 1 }, { own: { value: 2, enumerable: true } })],
];

for (const [what, data] of WRITABLE) {
  test(`the short way writes what the long way writes: ${what}`, () => {
    assert.ok(isJson(data));
    assert.equal(shortWay(data), longWay(data));
  });
}

const ROOM = textRoom(64 * 1024);
const PARTS = { stem: ID.slice(0, -2), tail: ID.slice(-2) };

/** The same, written where it is to be. */
function writtenWay(data: unknown, at: number, now = NOW, parts = PARTS): string | undefined {
  const end = FRAME.write(parts, now, "", data, ROOM, at);
  return end === 0 ? undefined : ROOM.bytes.toString("utf8", at, end);
}

test("what is written where it is to be is the same text, if it is written", () => {
  let written = 0;
  for (const [what, data] of [...WRITABLE, ["flat", { a: 1, b: "two", c: true }] as const]) {
    for (const at of [0, 1, 2, 3]) {
      const text = writtenWay(data, at);
      if (text === undefined) continue;
      assert.equal(text, longWay(data), what);
      written++;
    }
  }
  // What is flat: the empty object, the getter, the names of attributes, the one without odd members …
  assert.ok(written >= 4 * 4, String(written));
  assert.equal(writtenWay({ a: 1 }, ROOM.bytes.length - 10), undefined);
});

test("ids and times that change from one message to the next are the message's own", () => {
  const names = new NameSource();
  for (let i = 0; i < 5_000; i++) {
    const now = NOW + (i >> 3);
    const parts = names.ulidInParts(now);
    const text = writtenWay({ i }, i % 7, now, parts) ?? "";
    const { id, time, data } = JSON.parse(text) as { id: string; time: string; data: unknown };
    assert.deepEqual([id, time, data], [parts.stem + parts.tail, new Date(now).toISOString(), { i }]);
  }
});

test("the short way writes the same times, however they follow each other", () => {
  const times = [NOW, NOW + 1, NOW - 7_004, NOW + 60_000, 0, 999, 1_000, NOW, Date.parse("9999-12-31T23:59:59.999Z")];
  for (const now of times) {
    assert.equal(shortWay(1, now), longWay(1, now));
    assert.equal((JSON.parse(shortWay(1, now) ?? "") as { time: string }).time, new Date(now).toISOString());
  }
});

test("a text is one line, whatever is in it", () => {
  for (const [what, data] of WRITABLE)
    assert.equal(shortWay(data)?.indexOf("\n"), (shortWay(data)?.length ?? 0) - 1, what);
});

const circle: { self?: unknown } = {};
circle.self = circle;
const fail = () => {
  throw new Error("on purpose");
};

test("there is no short way for what JSON has no text for: the long way tells", () => {
  const refused = [
    circle,
    [1n],
    Object(1n),
    { toJSON: fail },
    { toJSON: () => undefined },
    { toJSON: () => () => 1 },
    Object.defineProperty({}, "never", { enumerable: true, get: fail }),
  ];
  for (const data of refused) assert.equal(shortWay(data), undefined);
});

test("there is no short way for bytes, for nothing, and for what is no data", () => {
  for (const data of [new Uint8Array([1]), Buffer.from("a"), undefined, () => 1, Symbol("s"), 1n])
    assert.equal(isJson(data), false, typeof data);
});

const CAUSE: Cause = { id: "01JQ6T8Z1V4M9X7C2B5N8K3D6G", correlationId: "01JQ6T8Z1V4M9X7C2B5N8K3D6H", hops: 3 };

test("the short way writes the attributes of requests, answers and what follows from a message as the long way does", () => {
  const addresses = [undefined, "@bob", "@bob~reply-abcdefghijklmnopqrstuvwxyz"];
  const causes = [undefined, CAUSE, { ...CAUSE, correlationId: CAUSE.id, hops: 0, traceparent: undefined }];
  let compared = 0;
  for (const to of addresses) {
    for (const type of [TOPIC, replyTypeOf(TOPIC)]) {
      const frame = new EnvelopeFrame(SOURCE, type, TOPIC, to);
      for (const cause of causes) {
        for (const replyTo of addresses) {
          for (const expiresInMs of [undefined, 1, 30_000, 86_400_000]) {
            const facts = { id: ID, source: SOURCE, topic: TOPIC, to, data: { a: 1 }, cause, now: NOW };
            const long = composeEnvelope(facts, { type: type === TOPIC ? undefined : type, replyTo, expiresInMs });
            const attributes = attributesOf(NOW, cause, replyTo, expiresInMs) ?? "none";
            const short = frame.text(ID, NOW, attributes, { a: 1 });
            assert.equal(short, `${JSON.stringify(long)}\n`);
            compared++;
          }
        }
      }
    }
  }
  assert.equal(compared, 3 * 2 * 3 * 3 * 4);
});

test("there is no short way for a cause that says more than this bus does, or says it otherwise", () => {
  const causes: Cause[] = [
    { ...CAUSE, id: "mine" },
    { ...CAUSE, id: 'a"quote' },
    { ...CAUSE, correlationId: "back\\slash" },
    { ...CAUSE, correlationId: "" },
    { ...CAUSE, hops: 0.5 },
    { ...CAUSE, hops: Number.NaN },
    { ...CAUSE, traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01` },
    { ...CAUSE, tracestate: "vendor=1" },
  ];
  for (const cause of causes) assert.equal(attributesOf(NOW, cause, undefined, undefined), undefined);
});
