import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Watcher } from "#core/watch/watcher.js";
import { watchWithNode } from "#core/watch/native.js";
import { until } from "../support/spool.js";

describe("the kernel's queue of events", { skip: process.platform === "linux" ? false : "needs inotify" }, () => {
  let dir: string;
  let watcher: Watcher;
  const events = new Map<string | undefined, boolean>();
  let onEvent: () => void;
  beforeEach(() => {
    dir = fs.mkdtempSync(join(tmpdir(), "agentbus-queue-"));
    events.clear();
    onEvent = () => undefined;
    watcher = watchWithNode(dir, {
      onChange: (name, isNext) => {
        events.set(name, isNext === true);
        onEvent();
      },
    });
  });
  afterEach(() => {
    watcher.close();
    fs.rmSync(dir, { recursive: true });
  });

  test("an event is known to be the next change if the thread has worked for less than a millisecond since it waited", async (context) => {
    const loop = { idle: 100, active: 50, utilization: 0 };
    context.mock.method(performance, "eventLoopUtilization", () => ({ ...loop }));
    const isNextAfter = async (waitedMs: number, workedMs: number) => {
      loop.idle += waitedMs;
      loop.active += workedMs;
      const name = `file-${events.size}`;
      const isHere = new Promise<void>((resolve) => (onEvent = resolve));
      fs.writeFileSync(join(dir, name), "");
      await isHere;
      return events.get(name);
    };
    await isNextAfter(0, 0);
    assert.equal(await isNextAfter(5, 0.5), true);
    assert.equal(await isNextAfter(0, 0.4), true, "the next one of the same turn");
    assert.equal(await isNextAfter(0, 0.2), false, "1.1 ms of work");
    assert.equal(await isNextAfter(5, 2), false, "2 ms of work after it has waited");
    assert.equal(await isNextAfter(5, 0.1), true);
  });

  test("an event that follows lost ones is not", async () => {
    const length = Number(fs.readFileSync("/proc/sys/fs/inotify/max_queued_events", "utf8"));
    const count = length + 2_000;
    // While this blocks, nobody empties the queue.
    const code = `for (let n = 0; n < ${count}; n++) fs.mkdirSync(process.argv[1] + "/" + n)`;
    execFileSync(process.execPath, ["--eval", code, dir]);
    // By then there is room for one more, behind the gap.
    onEvent = () => events.size === 1_000 && fs.writeFileSync(join(dir, "after the gap"), "");
    await until(() => events.has("after the gap"));
    assert.ok(events.size <= count, "nothing was lost");
    assert.equal(events.get("after the gap"), false);
  });
});
