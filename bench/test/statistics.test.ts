import assert from "node:assert/strict";
import { test } from "node:test";
import { curveOf, distributionOf, ratioOf, spreadOf } from "../report/statistics.js";

test("a percentile is a value that was measured, in microseconds", () => {
  const latenciesNs = Float64Array.from({ length: 100 }, (_, index) => (100 - index) * 1_000);
  assert.deepEqual(distributionOf(latenciesNs), { p50: 50, p90: 90, p99: 99, max: 100 });
  assert.deepEqual(distributionOf(Float64Array.of(7_000)), { p50: 7, p90: 7, p99: 7, max: 7 });
});

test("a curve runs over all rounds together, from the lowest to the highest", () => {
  const curve = new Map(curveOf([Float64Array.of(3_000, 1_000), Float64Array.of(2_000, 4_000)]));
  assert.equal(curve.get(0), 1);
  assert.equal(curve.get(50), 2);
  assert.equal(curve.get(100), 4);
  assert.equal(curve.size, 103);
});

test("a spread is the median with the lowest and the highest round", () => {
  assert.deepEqual(spreadOf([5, 1, 3]), { median: 3, lowest: 1, highest: 5 });
  assert.deepEqual(spreadOf([4, 1, 3, 2]), { median: 2.5, lowest: 1, highest: 4 });
});

test("a ratio compares rounds that were neighbours in time", () => {
  // The machine became ten times slower on the way, for both.
  assert.deepEqual(ratioOf([2, 20, 200], [1, 10, 100]), { median: 2, lowest: 2, highest: 2 });
  assert.deepEqual(ratioOf([2, 3, 4], [1]), { median: 2, lowest: 2, highest: 2 });
});
