import assert from "node:assert/strict";
import { test } from "node:test";
import { flatJson, textRoom, writeFlatJson } from "#core/flat-json.js";

const ROOM = textRoom(128 * 1024);
/** What stands in front, and the quotes in the last 0, 1, 2 and 3 bytes of it. */
const BEFORE = '"data":';
const QUOTES_BEFORE = [0, 0, 1, 1];

/** What the short way has to make of an object, if it makes anything. */
function check(data: object): string | undefined {
  const text = flatJson(data);
  if (text !== undefined) assert.equal(text, JSON.stringify(data));
  return text;
}

/** The same, of what is written where it is to be. */
function checkWritten(data: object, at: number, room = ROOM): string | undefined {
  if (at >= BEFORE.length) room.bytes.write(BEFORE, at - BEFORE.length);
  const end = writeFlatJson(data, room, at, at >= BEFORE.length ? QUOTES_BEFORE : [0, 0, 0, 0]);
  if (end === 0) return undefined;
  const text = room.bytes.toString("utf8", at, end);
  assert.equal(text, JSON.stringify(data));
  return text;
}

test("an object of texts, numbers and booleans has the JSON that JSON.stringify makes", () => {
  const flat = [
    {},
    { text: "please review" },
    { "": "", a: "", "a b": "~ !" },
    { b: 1, a: -0, 2: "two", 1: 1e21, c: 5e-324, d: true, e: false, f: Number.MAX_SAFE_INTEGER },
    { text: "x".repeat(15_000) },
    { text: "\u007f" },
    Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`name-${i}`, String(i)])),
  ];
  for (const data of flat) {
    assert.notEqual(check(data), undefined, JSON.stringify(data).slice(0, 100));
    for (const at of [0, 8, 9, 10, 11, 333]) assert.notEqual(checkWritten(data, at), undefined);
  }
});

test("whatever else an object holds, and any character that needs an escape, wherever it stands, is left to JSON.stringify", () => {
  const characters = [
    '"',
    "\\",
    "\n",
    "\u0000",
    "\u001f",
    "\ud800",
    "\udfff",
    "é",
    "\u0080",
    "Ł",
    "€",
    "😀",
    '","',
    '":"',
  ];
  for (const character of characters) {
    for (const length of [0, 1, 2, 3, 4, 5, 31, 32, 33, 1_018, 1_019, 1_020, 1_021, 5_332, 8_000]) {
      const text = "x".repeat(length);
      for (const data of [
        { text: text + character },
        { text: character + text },
        { [text + character]: 1, other: "x" },
      ]) {
        assert.equal(flatJson(data), undefined);
        for (const at of [8, 9, 10, 11]) assert.equal(checkWritten(data, at), undefined);
      }
    }
  }
  class Point {
    x = 1;
  }
  const others = [
    [],
    new Point(),
    Object.create(null) as object,
    { a: null },
    { a: undefined },
    { a: NaN },
    { a: Infinity },
    { a: {} },
    { a: [] },
    { a: Symbol("a") },
    { a: () => undefined },
    { a: new Date(0) },
    { a: "x".repeat(16_001) },
    Object.create({ inherited: 1 }) as object,
  ];
  for (const data of others) assert.equal(flatJson(data), undefined);
  // What is written takes no room of its own, so it may be as long as there is room for it.
  for (const data of others.filter((each) => !("a" in each) || typeof each.a !== "string"))
    assert.equal(checkWritten(data, 8), undefined);
});

test("of a hundred thousand objects with random texts, none has another JSON", () => {
  const alphabet = ['"', "\\", "\n", "\u001f", " ", "!", "#", "[", "]", "}", ":", ",", "a", "\u007f", "é", "\ud800"];
  // The same numbers each time (Lehmer).
  let state = 1;
  const below = (limit: number) => (state = (state * 48_271) % 2_147_483_647) % limit;
  let made = 0;
  for (let i = 0; i < 100_000; i++) {
    // Mostly without what needs an escape.
    const text = () => Array.from({ length: below(12) }, () => alphabet[4 + below(below(20) === 0 ? 12 : 10)]).join("");
    const odd = below(8) === 0 ? (alphabet[below(4)] as string) : "";
    const data = { [text()]: text(), [text() + odd]: below(1_000) / 7, [text()]: odd + text() };
    const isMade = check(data) !== undefined;
    if (isMade) made++;
    assert.equal(checkWritten(data, 8 + (i % 4)) !== undefined, isMade);
  }
  assert.ok(made > 30_000, `${made} were made in the short way`);
});

test("what the prototype of all objects was given is in no JSON", () => {
  // oxlint-disable-next-line eslint/no-extend-native -- this is what other code may do
  Object.defineProperty(Object.prototype, "polluted", { value: "x", enumerable: true, configurable: true });
  try {
    assert.equal(flatJson({ a: 1 }) ?? JSON.stringify({ a: 1 }), '{"a":1}');
  } finally {
    delete (Object.prototype as { polluted?: unknown }).polluted;
  }
});

test("nothing is written behind the room, and what does not fit for certain is not written", () => {
  const data = { a: "x", "a longer name": 12.5, ok: true, text: "t".repeat(40) };
  const length = JSON.stringify(data).length;
  let fitting = 0;
  for (let size = 0; size < 3 * length + 40; size++) {
    const whole = textRoom(size + 64);
    whole.bytes.fill(0xff);
    const room = { bytes: whole.bytes.subarray(0, size), words: whole.words.subarray(0, size >> 2) };
    if (checkWritten(data, 0, room) !== undefined) fitting++;
    assert.ok(whole.bytes.subarray(size).every((byte) => byte === 0xff));
  }
  assert.ok(fitting > 0 && fitting < 3 * length + 40 - length);
});
