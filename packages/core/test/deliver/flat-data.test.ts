import assert from "node:assert/strict";
import { test } from "node:test";
import { FlatData } from "#core/deliver/flat-data.js";

const ROUNDS = 60_000;

/** Numbers that are the same each time. */
let seed = 20_261_130;
const below = (count: number): number => (seed = (seed * 48_271) % 2_147_483_647) % count;
const oneOf = <Value>(values: readonly Value[]): Value => values[below(values.length)] as Value;

/** As in a line: with more of it in front, and behind it what ends a line, and then what an earlier one has left there. */
function read(flat: FlatData, json: string): object | undefined {
  const at = below(9);
  return flat.read(Buffer.from(`${"x".repeat(at)}${json}}\nleft"behind":1}`), at, at + Buffer.byteLength(json));
}

function informed(data: unknown): FlatData {
  const flat = new FlatData();
  flat.learn(data, JSON.stringify(data));
  return flat;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

const NAMES = [
  "n",
  "text",
  "a b",
  "",
  "ü",
  'qu"ote',
  "7",
  "-1",
  "__proto__",
  "constructor",
  "toString",
  "valueOf",
  "\n",
];
const VALUES: readonly unknown[] = [
  ...[0, -0, 1, -1, 12, 999_999_999_999_999, 1e15, -123_456_789_012_345, 0.5, -2.25, 1e21, 1e-7, Number.MAX_VALUE],
  ...[
    "",
    "x",
    "text",
    "a longer text of some words",
    " ",
    "~",
    "\u007f",
    "\\",
    '"',
    "\n",
    "\u0000",
    "ü",
    "\ud800",
    "}",
    ',"n":1',
  ],
  ...[true, false, null, [], {}, [1], { n: 1 }],
];
const PIECES = [
  "",
  "0",
  "9",
  "-",
  ".",
  "e1",
  '"',
  "\\",
  ",",
  ":",
  "{",
  "}",
  " ",
  "\n",
  "true",
  "false",
  "null",
  "\u0001",
  "ü",
  "[",
  "]",
];

function someObject(names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, oneOf(VALUES)]));
}

function changed(text: string): string {
  const at = below(text.length + 1);
  return text.slice(0, at) + oneOf(PIECES) + text.slice(at + below(2));
}

test(`of ${ROUNDS} objects, and of as many changed texts of them, those that are read are what JSON.parse gives`, () => {
  const counts = { plain: 0, changed: 0, left: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const names = Array.from({ length: below(4) }, () => (below(4) === 0 ? oneOf(NAMES) : oneOf(["n", "text"])));
    const flat = informed(someObject(names));
    const json = JSON.stringify(someObject(names));
    for (const [kind, text] of [
      ["plain", json],
      ["changed", changed(json)],
    ] as const) {
      const data = read(flat, text);
      if (data === undefined) counts.left++;
      else counts[kind]++;
      if (data !== undefined) assert.deepEqual(data, parse(text), text);
      if (data !== undefined) assert.equal(JSON.stringify(data), JSON.stringify(parse(text)), text);
    }
  }
  // Had all of one kind been lost on the way, this would have tested nothing.
  for (const [kind, count] of Object.entries(counts)) assert.ok(count > ROUNDS / 50, `${kind}: ${count}`);
});

test("texts, integers and booleans are read where the members are those of the data before; the rest is left to the parser", () => {
  const flat = informed({ job: 41, text: "x", done: false });
  const data = { job: -7, text: "of another length, and ASCII: ~", done: true };
  assert.deepEqual(read(flat, JSON.stringify(data)), data);
  assert.equal(Object.getPrototypeOf(read(flat, JSON.stringify(data))), Object.prototype);
  const others = [
    '{"job":1234567890123456,"text":"x","done":true}',
    ...['{"job":1.5,"text":"x","done":true}', '{"job":-0,"text":"x","done":true}', '{"job":01,"text":"x","done":true}'],
    ...['{"job":1,"text":"\\n","done":true}', '{"job":1,"text":"ü","done":true}', '{"job":1,"text":"x","done":null}'],
    ...['{"job":1,"text":"x"}', '{"job":1,"text":"x","done":true,"more":1}', '{"text":"x","job":1,"done":true}'],
    ...[
      '{"job":1,"text":"x","done":tru',
      '{"job":1,"text":"x',
      '{"job":1,"text":"x","done":true}}',
      "",
      "1",
      '{"job":',
    ],
  ];
  for (const other of others) assert.equal(read(flat, other), undefined, other);
});

test("what is spelled in another way than JSON.stringify does teaches nothing", () => {
  for (const json of ['{"n": 1}', '{"n":1,"n":2}', '{"\\u006e":1}', '{"n":1.0}', '{"n":1}\n', "[1]", '"n"', "null"]) {
    const flat = new FlatData();
    flat.learn(JSON.parse(json), json);
    for (const text of [json, '{"n":1}', '{"n":1,"n":2}']) assert.equal(read(flat, text), undefined, json);
  }
});

test("names that assignment would not define are left to the parser", () => {
  for (const name of ["__proto__", "constructor", "hasOwnProperty"]) {
    const json = `{"n":1,"${name}":2}`;
    const flat = new FlatData();
    flat.learn(JSON.parse(json), json);
    assert.equal(read(flat, json), undefined);
  }
});

test("the members that are read are those of the latest data that was parsed", () => {
  const flat = informed({ a: 1 });
  const [a, b] = ['{"a":2}', '{"b":3}'];
  for (let change = 0; change < 20; change++) {
    const json = change % 2 === 0 ? b : a;
    assert.equal(read(flat, json), undefined);
    flat.learn(JSON.parse(json), json);
    for (let again = 0; again < 10; again++) assert.deepEqual(read(flat, json), JSON.parse(json));
  }
});

test("what changes all the time is not learned all the time", (context) => {
  const flat = new FlatData();
  const looks = context.mock.method(JSON, "stringify");
  for (let turn = 0; turn < 100; turn++) {
    const json = turn % 2 === 0 ? '{"a":1}' : '{"b":1}';
    if (read(flat, json) === undefined) flat.learn(JSON.parse(json), json);
  }
  assert.ok(looks.mock.callCount() < 40, String(looks.mock.callCount()));
});

test("only ASCII is read", () => {
  for (const json of ['{"ü":1}', '{"n":"ü"}']) assert.equal(read(informed(JSON.parse(json)), json), undefined);
});
