import assert from "node:assert/strict";
import { test } from "node:test";
import { isClean, SerialCheck, sumOf, untilQuiet } from "../ends/serials.js";

function arrivals(expected: number, serials: readonly number[]): SerialCheck {
  const check = new SerialCheck(expected);
  for (const serial of serials) check.arrived(serial);
  return check;
}

test("what never arrives is lost", () => {
  const { losses, isComplete } = arrivals(4, [1, 2, 4]);
  assert.deepEqual(losses, { lost: 1, reordered: 0, repeated: 0 });
  assert.equal(isComplete, false);
  assert.equal(isClean(losses, false), false);
});

test("what arrives twice is repeated, and does not stand in for what is missing", () => {
  const { losses } = arrivals(3, [1, 1, 2]);
  assert.deepEqual(losses, { lost: 1, reordered: 0, repeated: 1 });
});

test("what was never sent counts as repeated", () => {
  const { losses } = arrivals(2, [1, 2, 3, 0, NaN]);
  assert.deepEqual(losses, { lost: 0, reordered: 0, repeated: 3 });
  assert.equal(isClean(losses, true), false);
});

test("what was overtaken is reordered, which counts only where order is promised", () => {
  const { losses } = arrivals(4, [1, 3, 2, 4]);
  assert.deepEqual(losses, { lost: 0, reordered: 1, repeated: 0 });
  assert.equal(isClean(losses, true), false);
  assert.equal(isClean(losses, false), true);
});

test("rounds add up", () => {
  const losses = sumOf([arrivals(2, [1]).losses, arrivals(2, [2, 1]).losses]);
  assert.deepEqual(losses, { lost: 1, reordered: 1, repeated: 0 });
});

test("waiting ends when everything has arrived, and when nothing comes any more", async () => {
  await untilQuiet([arrivals(2, [1, 2])], 2, Infinity);
  const incomplete = arrivals(2, [1]);
  await untilQuiet([incomplete], 2, 1);
  assert.equal(incomplete.isComplete, false);
});
