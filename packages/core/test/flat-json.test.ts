import assert from "node:assert/strict";
import { test } from "node:test";
import { flatJson } from "#core/flat-json.js";

/** What the short way has to make of an object, if it makes anything. */
function check(data: object): string | undefined {
  const text = flatJson(data);
  if (text !== undefined) assert.equal(text, JSON.stringify(data));
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
  for (const data of flat) assert.notEqual(check(data), undefined, JSON.stringify(data).slice(0, 100));
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
    for (const length of [0, 1, 2, 3, 4, 5, 1_018, 1_019, 1_020, 1_021, 5_332, 8_000]) {
      const text = "x".repeat(length);
      assert.equal(flatJson({ text: text + character }), undefined);
      assert.equal(flatJson({ text: character + text }), undefined);
      assert.equal(flatJson({ [text + character]: 1, other: "x" }), undefined);
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
    if (check({ [text()]: text(), [text() + odd]: below(1_000) / 7, [text()]: odd + text() }) !== undefined) made++;
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
