import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { awaited, pipelined } from "../ends/pipelined.js";

test("no more messages than the window are sent and not accepted", async () => {
  let inFlight = 0;
  let most = 0;
  let sent = 0;
  await pipelined(1_000, 16, async () => {
    sent++;
    most = Math.max(most, ++inFlight);
    await nextTurn();
    inFlight--;
  });
  assert.deepEqual({ sent, most, inFlight }, { sent: 1_000, most: 16, inFlight: 0 });
});

test("what has no promise of its own counts as accepted when a flush that followed it has come back", async () => {
  let sent = 0;
  let flushed = 0;
  let most = 0;
  await pipelined(
    5_000,
    1_024,
    () => {
      sent++;
      most = Math.max(most, sent - flushed);
    },
    async () => {
      const until = sent;
      await nextTurn();
      flushed = Math.max(flushed, until);
    },
  );
  assert.equal(flushed, 5_000);
  assert.ok(most <= 1_024, `${most} were not flushed`);
});

test("a publish that is refused ends the sending", async () => {
  let sent = 0;
  const refused = pipelined(1_000, 8, async () => {
    await nextTurn();
    if (++sent === 20) throw new Error("refused");
  });
  await assert.rejects(refused, /refused/);
  assert.ok(sent < 1_000);
});

test("one by one means that each waits for the one before", async () => {
  let inFlight = 0;
  await awaited(10, async () => {
    assert.equal(inFlight++, 0);
    await nextTurn();
    inFlight--;
  });
});
