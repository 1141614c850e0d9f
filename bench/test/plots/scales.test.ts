import assert from "node:assert/strict";
import { test } from "node:test";
import { linearScale, logarithmicScale, PERCENTILES } from "../../plots/scales.js";

test("a linear scale begins at zero and reaches its highest value", () => {
  assert.deepEqual(linearScale([150, 223]).marks, [0, 50, 100, 150, 200, 250]);
  assert.deepEqual(linearScale([0]).reach[0], 0);
});

test("a logarithmic scale reaches all of its values, in round numbers", () => {
  assert.deepEqual(logarithmicScale([66, 480]).marks, [50, 100, 200, 500]);
  assert.deepEqual(logarithmicScale([100]).reach, [100, 200]);
});

test("over many decades a logarithmic scale marks powers of ten only", () => {
  const { reach, marks } = logarithmicScale([4, 18_000]);
  assert.deepEqual(reach, [2, 20_000]);
  assert.deepEqual(marks, [10, 100, 1_000, 10_000]);
});

test("every further nine of a percentile takes the same room", () => {
  const places = [0, 90, 99, 99.9].map((percentile) => Math.round(PERCENTILES.place(percentile) * 1_000) / 1_000);
  assert.deepEqual(places.map(Math.abs), [0, 1, 2, 3]);
});
