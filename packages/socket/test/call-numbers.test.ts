import assert from "node:assert/strict";
import { test } from "node:test";
import { CallNumbers } from "#socket/connect/call-numbers.js";

test("after the last number that a frame can bear calls are counted from 1 again, but for those that are not answered", () => {
  const numbers = new CallNumbers(4_294_967_294);
  const open = new Set([1, 2]);
  assert.deepEqual(
    Array.from({ length: 3 }, () => numbers.next((number) => open.has(number))),
    [4_294_967_295, 3, 4],
  );
});
