import assert from "node:assert/strict";
import { isBusError, type BusError } from "#core/errors.js";

/** The `BusError` that a promise is refused with; anything else fails the test. */
export async function refusalOf(promise: Promise<unknown>): Promise<BusError> {
  const outcome = await promise.then(
    () => "it was not refused",
    (error: unknown) => error,
  );
  assert.ok(isBusError(outcome), String(outcome));
  return outcome;
}
