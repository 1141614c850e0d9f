import assert from "node:assert/strict";
import { test } from "node:test";
import { PlainEnvelopes } from "#core/deliver/plain-envelopes.js";
import { composeEnvelope, plainEnvelopeText, type Envelope } from "#core/envelope.js";
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
  return plainEnvelopeText(names.ulid(now), "/agents/alice", "build.done", now, data) ?? "";
}

/** As a receiver has it that has heard the same publisher in the same minute. */
function informed(): PlainEnvelopes {
  const plain = new PlainEnvelopes();
  plain.note(JSON.parse(plainText(1)) as Envelope);
  return plain;
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

/** An envelope with something changed that changes what it is, mostly. */
function mutate(text: string, dice: Dice): unknown {
  const value = JSON.parse(text) as Record<string, unknown>;
  for (let changes = dice.below(3); changes >= 0; changes--) {
    const name = dice.oneOf(ATTRIBUTES);
    const attribute = value[name];
    const way = dice.below(6);
    if (way === 0) delete value[name];
    else if (way === 1) define(value, name, dice.oneOf(VALUES));
    else if (way === 2) define(value, dice.oneOf(OTHERS), dice.oneOf(VALUES));
    else if (way === 3) define(value, name, value[dice.oneOf(ATTRIBUTES)]);
    else if (typeof attribute === "string") define(value, name, changedText(attribute, dice));
    else return dice.oneOf([...VALUES, Object.values(value)]);
  }
  // In another order, which says nothing.
  return dice.below(4) === 0 ? Object.fromEntries(Object.entries(value).reverse()) : value;
}

function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

function changedText(text: string, dice: Dice): string {
  const at = dice.below(text.length + 1);
  return text.slice(0, at) + dice.oneOf(CHARACTERS) + text.slice(at + dice.below(2));
}

test(`of ${ROUNDS} changed envelopes, those that are told without the validator are those that it accepts`, () => {
  const dice = new Dice(20_260_131);
  const plain = informed();
  const counts = { included: 0, fit: 0, unfit: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const value = mutate(plainText(dice.oneOf([null, 1, "x", { a: [] }]), NOW + dice.below(2_000)), dice);
    const isFit = validateEnvelope(value);
    counts[isFit ? "fit" : "unfit"]++;
    if (!plain.include(value)) continue;
    counts.included++;
    assert.ok(isFit, JSON.stringify(value));
    assert.ok(validateEnvelope(JSON.parse(JSON.stringify(value))), JSON.stringify(value));
  }
  // Had all of one kind been lost on the way, this would have tested nothing.
  for (const [kind, count] of Object.entries(counts)) assert.ok(count > ROUNDS / 50, `${kind}: ${count}`);
});

test("what a publish without options writes is told without the validator, throughout the minute", () => {
  const plain = informed();
  for (const data of [null, 0, "", false, {}, [], { deep: [{ data: null }] }]) {
    for (const now of [NOW, NOW - 7_004, NOW + 52_995]) {
      const text = plainText(data, now);
      assert.ok(plain.include(JSON.parse(text)), text);
      const facts = { id: names.ulid(now), source: "/agents/alice", topic: "build.done", data, now };
      assert.ok(plain.include(composeEnvelope(facts, {})));
    }
  }
});

test("who has heard nothing yet, or of another sender, topic or minute, asks the validator", () => {
  const value = JSON.parse(plainText(1)) as Envelope;
  assert.equal(new PlainEnvelopes().include(value), false);
  const others = [
    { source: "/agents/bob" },
    { topic: "build.failed", type: "build.failed" },
    { time: "2026-01-31T13:00:07.004Z" },
  ];
  for (const other of others) {
    assert.equal(informed().include({ ...value, ...other }), false);
    const plain = informed();
    plain.note({ ...value, ...other });
    assert.ok(plain.include({ ...value, ...other }));
    assert.equal(plain.include(value), false);
  }
});
