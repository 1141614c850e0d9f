import assert from "node:assert/strict";
import { test } from "node:test";
import { PlainLines } from "#core/deliver/plain-lines.js";
import { composeEnvelope, type Envelope } from "#core/envelope.js";
import { EnvelopeFrame } from "#core/envelope-frame.js";
import { validateEnvelope } from "#core/generated/validators.js";
import { NameSource } from "#core/message-name.js";

const ROUNDS = 40_000;
const NOW = Date.parse("2026-01-31T12:59:07.004Z");
const names = new NameSource();

/** Numbers that are the same each time. */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(count: number): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647;
    return this.#state % count;
  }

  oneOf<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)] as Value;
  }
}

function plainText(data: unknown, now = NOW): string {
  const frame = new EnvelopeFrame("/agents/alice", "build.done", "build.done", undefined);
  return frame.text(names.ulid(now), now, "", data) ?? "";
}

/** As a receiver has it that has read the same publisher's messages of the same minute. */
function informed(): PlainLines {
  const plain = new PlainLines();
  const line = plainText(1);
  assert.ok(plain.learn(line, JSON.parse(line)));
  return plain;
}

/** Between two others, which are not its own; and alone, in a buffer with something behind it. */
function read(plain: PlainLines, line: string): Envelope | undefined {
  const before = '{"id":"';
  const among = plain.read(`${before}${line}}\n`, before.length, before.length + line.length);
  const bytes = Buffer.from(`${line}}\n`);
  const alone = plain.readAlone(bytes, Buffer.byteLength(line));
  assert.deepEqual(alone, isOneLine(line) ? among : undefined, line);
  return among;
}

/** In ASCII. */
function isOneLine(text: string): boolean {
  return Buffer.byteLength(text) === text.length && text.indexOf("\n") === text.length - 1;
}

const ATTRIBUTES = ["specversion", "id", "source", "type", "time", "topic", "data"] as const;
const OTHERS = [
  ...["to", "subject", "priority", "hops", "expirytime", "data_base64", "datacontenttype", "replyto", "sequence"],
  ...["__proto__", "constructor", "toString", "Data", "extension", "an extension", ""],
];
const VALUES: readonly unknown[] = [
  ...[
    null,
    true,
    0,
    5,
    -1,
    1.5,
    "",
    " ",
    "1.0",
    "build.done",
    "/agents/alice",
    "@bob",
    [],
    {},
    ["1.0"],
    { toString: 1 },
  ],
  ...["2026-01-31T12:59:60.000Z", "2026-01-31T12:59:07Z", "2026-01-31T12:59:07.004+00:00", "2026-01-31T12:59:07.0041Z"],
  ...[
    "2026-01-31T12:59:07.004Z\n",
    "2026-01-31T12:60:07.004Z",
    "01JQ6T8Z1V4M9X7C2B5N8K3D6F",
    "81JQ6T8Z1V4M9X7C2B5N8K3D6F",
  ],
];
const CHARACTERS = ["", "\n", "\u0000", "ü", "0", "9", "Z", "z", "{", '"', ",", "\ud800", "."];

/** A line with something changed that changes what it says, mostly. */
function mutate(line: string, dice: Dice): string {
  if (dice.below(3) === 0) return `${changedText(line.slice(0, -1), dice)}\n`;
  const value = JSON.parse(line) as Record<string, unknown>;
  for (let changes = dice.below(3); changes > 0; changes--) {
    const name = dice.oneOf(ATTRIBUTES);
    const attribute = value[name];
    const way = dice.below(6);
    if (way === 0) delete value[name];
    else if (way === 1) define(value, name, dice.oneOf(VALUES));
    else if (way === 2) define(value, dice.oneOf(OTHERS), dice.oneOf(VALUES));
    else if (way === 3) define(value, name, value[dice.oneOf(ATTRIBUTES)]);
    else if (typeof attribute === "string") define(value, name, changedText(attribute, dice));
    else return `${JSON.stringify(dice.oneOf([...VALUES, Object.values(value)]))}\n`;
  }
  // In another order, which says nothing; or with an attribute that comes twice, of which the last counts.
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}:${JSON.stringify(member)}`);
  if (dice.below(8) === 0) members.reverse();
  if (dice.below(8) === 0) members.push(dice.oneOf(members.length > 0 ? members : ['"id":1']));
  return `{${members.join(",")}}\n`;
}

function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

function changedText(text: string, dice: Dice): string {
  const at = dice.below(text.length + 1);
  return text.slice(0, at) + dice.oneOf(CHARACTERS) + text.slice(at + dice.below(2));
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

test(`of ${ROUNDS} changed lines, those that are read without parser and validator are read as these do`, () => {
  const dice = new Dice(20_260_131);
  const plain = informed();
  const counts = { read: 0, alone: 0, fit: 0, unfit: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const data = dice.oneOf([null, 1, "x", "}\n", { a: [], data: "}" }, '","topic":"build.done","data":']);
    const line = mutate(plainText(data, NOW + dice.below(2_000)), dice);
    const value = parse(line);
    const isFit = value !== undefined && validateEnvelope(value);
    counts[isFit ? "fit" : "unfit"]++;
    const envelope = read(plain, line);
    if (envelope === undefined) continue;
    counts.read++;
    if (isOneLine(line)) counts.alone++;
    assert.ok(isFit, line);
    assert.equal(JSON.stringify(envelope), JSON.stringify(value));
  }
  // Had all of one kind been lost on the way, this would have tested nothing.
  for (const [kind, count] of Object.entries(counts)) assert.ok(count > ROUNDS / 50, `${kind}: ${count}`);
});

test(`of ${ROUNDS / 2} pairs of changed lines, whatever the first teaches, the second is read as parser and validator do`, () => {
  const dice = new Dice(13_120_260);
  let learned = 0;
  for (let round = 0; round < ROUNDS / 2; round++) {
    const plain = new PlainLines();
    const [first, second] = [mutate(plainText(1), dice), mutate(plainText({ n: 2 }), dice)];
    const value = parse(first);
    const isFit = plain.learn(first, value);
    if (isFit) learned++;
    assert.ok(!isFit || validateEnvelope(value), first);
    const envelope = read(plain, second);
    if (envelope !== undefined) assert.equal(JSON.stringify(envelope), JSON.stringify(parse(second)), first);
    assert.ok(envelope === undefined || validateEnvelope(envelope), second);
  }
  assert.ok(learned > ROUNDS / 50, String(learned));
});

test("what a publish without options writes is read without the validator, throughout the minute", () => {
  const plain = informed();
  for (const data of [null, 0, "", false, {}, [], "ü\u2028", { deep: [{ data: null }] }]) {
    for (const now of [NOW, NOW - 7_004, NOW + 52_995]) {
      const line = plainText(data, now);
      assert.deepEqual(read(plain, line), JSON.parse(line));
      const facts = { id: names.ulid(now), source: "/agents/alice", topic: "build.done", data, now };
      assert.ok(read(plain, `${JSON.stringify(composeEnvelope(facts, {}))}\n`));
    }
  }
});

test("who has read nothing yet, or of another sender, topic or minute, asks parser and validator", () => {
  const line = plainText(1);
  assert.equal(read(new PlainLines(), line), undefined);
  const others = [
    { source: "/agents/bob" },
    { topic: "build.failed", type: "build.failed" },
    { time: "2026-01-31T13:00:07.004Z" },
  ];
  for (const other of others) {
    const value = { ...(JSON.parse(line) as object), ...other };
    const another = `${JSON.stringify(value)}\n`;
    const plain = informed();
    assert.equal(read(plain, another), undefined);
    assert.ok(plain.learn(another, value));
    assert.deepEqual(read(plain, another), value);
    assert.equal(read(plain, line), undefined);
  }
});

test("a line that ends in another way than an envelope is not read", () => {
  const plain = informed();
  const line = plainText(1);
  for (const end of ["", "\n", "}", "]\n", "}]\n", "}}\n", "}\r\n", "}\n\n"]) {
    assert.equal(read(plain, line.replace("}\n", end)), undefined, JSON.stringify(end));
  }
});

test("a line that is no whole line, or spelled in another way, is no pattern", () => {
  const line = plainText(1);
  const value = JSON.parse(line) as Record<string, unknown>;
  for (const other of [JSON.stringify(value, null, 1), line.replaceAll(":", ": "), line.replace("/", "\\/")]) {
    const plain = new PlainLines();
    plain.learn(other, JSON.parse(other));
    assert.equal(read(plain, other), undefined);
    assert.equal(read(plain, line), undefined);
  }
});
