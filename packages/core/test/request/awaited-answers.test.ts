import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { BusError } from "#core/errors.js";
import { AwaitedAnswer } from "#core/request/awaited-answer.js";
import { AwaitedAnswers } from "#core/request/awaited-answers.js";

const START_MS = 1_000;

/** A clock that goes by the timers alone. @returns ends the next wait, and says how long it was, in milliseconds */
function clockOf(context: TestContext): () => number {
  let nowMs = START_MS;
  context.mock.timers.enable({ apis: ["setTimeout"] });
  context.mock.method(performance, "now", () => nowMs);
  const timers = context.mock.method(globalThis, "setTimeout");
  return () => {
    const waitMs = Number(timers.mock.calls.at(-1)?.arguments[1]);
    nowMs += waitMs;
    context.mock.timers.tick(waitMs);
    return waitMs;
  };
}

/** Requests that time out a millisecond after each other. @returns how many have */
function addMany(answers: AwaitedAnswers, count: number): () => number {
  let timedOut = 0;
  for (let n = 1; n <= count; n++) {
    const answer = new AwaitedAnswer(String(n), undefined, START_MS + n, () => new BusError("ERR_TIMEOUT", "late"));
    answer.arrived.catch(() => {
      timedOut++;
      answers.delete(answer);
    });
    answers.add(answer);
  }
  return () => timedOut;
}

test("a few requests time out when they are due, each by itself", async (context) => {
  const nextWait = clockOf(context);
  const answers = new AwaitedAnswers();
  const timedOut = addMany(answers, 3);
  for (let n = 1; n <= 3; n++) {
    assert.equal(nextWait(), 1);
    await Promise.resolve();
    await Promise.resolve();
    assert.equal(timedOut(), n);
  }
});

test("of very many requests that time out one after the other, all are not looked at for each single one", async (context) => {
  const nextWait = clockOf(context);
  const answers = new AwaitedAnswers();
  const timedOut = addMany(answers, 20_000);
  let looks = 0;
  for (; timedOut() < 20_000; looks++) {
    assert.ok(nextWait() <= 20);
    await Promise.resolve();
    await Promise.resolve();
  }
  assert.ok(looks < 10_000, String(looks));
});
