import assert from "node:assert/strict";
import { test } from "node:test";
import { runAgainstStopped } from "./support/stopped-receiver.js";

const STOPPED_MS = 3_000;
/** What V8 may take of its own accord, whatever is sent. */
const MAX_GROWTH_BYTES = 48 * 1024 * 1024;

test("a receiver that is stopped (SIGSTOP) under a sender at full speed costs its sender no memory; when it goes on, nothing is missing", async () => {
  const { sentWhileStopped, growthBytes, isComplete } = await runAgainstStopped(STOPPED_MS);
  assert.ok(isComplete, "everything came, in order");
  assert.ok(growthBytes < MAX_GROWTH_BYTES, `${growthBytes} bytes more`);
  assert.ok(sentWhileStopped * 1_000 < 1024 * 1024, `${sentWhileStopped} messages found room in a pipe of 256 KiB`);
});
