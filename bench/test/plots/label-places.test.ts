import assert from "node:assert/strict";
import { test } from "node:test";
import { placesApart } from "../../plots/label-places.js";

test("labels that have room stay where they belong", () => {
  assert.deepEqual(placesApart([90, 10, 50], 15, 100), [90, 10, 50]);
});

test("labels that belong to the same place stand around it", () => {
  assert.deepEqual(placesApart([50, 50, 50], 10, 100), [40, 50, 60]);
});

test("labels at an edge stay within the plot", () => {
  assert.deepEqual(placesApart([100, 99, 0, 1], 10, 100), [100, 90, 0, 10]);
});

test("labels that are pushed into others push those too, and keep their order", () => {
  const places = placesApart([10, 12, 24, 30, 31, 80], 10, 100);
  assert.equal(places.at(-1), 80);
  for (const [index, place] of places.slice(1).entries()) assert.ok(place - (places[index] ?? 0) >= 10 - 1e-9);
});
