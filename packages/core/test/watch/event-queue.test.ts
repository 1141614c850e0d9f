import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Watcher } from "#core/watch/watcher.js";
import { watchWithNode } from "#core/watch/native.js";
import { until } from "../support/spool.js";

/** Longer than the other tests keep every processor busy, in milliseconds. */
const BUSY_MS = 120_000;

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

  test("an event that comes by itself is known to be the next change", async () => {
    let isKnown = false;
    // While the machine is busy with other tests, a millisecond may always be over before an event is read.
    const deadline = performance.now() + BUSY_MS;
    for (let n = 0; performance.now() < deadline && !isKnown; n++) {
      const name = `file-${n}`;
      const isHere = new Promise<void>((resolve) => (onEvent = resolve));
      // The thread waits, which empties the queue, and does next to nothing after that.
      await new Promise((resolve) => setTimeout(resolve, 5));
      fs.writeFileSync(join(dir, name), "");
      await isHere;
      isKnown = events.get(name) === true;
    }
    assert.ok(isKnown);
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
