import assert from "node:assert/strict";
import { test } from "node:test";
import { RecentFrames } from "#pipe/send/recent-frames.js";

const CAPACITY = 64 * 1024;

test("of all that went into a pipe, the frames that it may still hold are kept, whole and in order, whatever their size", () => {
  const recent = new RecentFrames(CAPACITY);
  const all: string[] = [];
  const sizes = [1, 10, 1_000, 30_000, 100_000, 2, 400_000, 3];
  for (let i = 0; i < 2_000; i++) {
    const frame = `${i % 7 === 0 ? "ü€😀" : ""}${i} ${"x".repeat(sizes[i % sizes.length] as number)}\n`;
    recent.encode(frame);
    const { bytes, start, end } = recent.unsent;
    assert.equal(bytes.toString("utf8", start, end), frame);
    // What found no room is not kept.
    if (i % 5 === 0) {
      recent.forgetAllBut(0);
      continue;
    }
    recent.keep(end - start);
    all.push(frame);
    if (i % 50 !== 1) continue;
    let count = 0;
    for (let length = 0; length < CAPACITY && count < all.length; count++)
      length += Buffer.byteLength(all.at(-1 - count) ?? "");
    assert.deepEqual(recent.last(count), all.slice(-count));
  }
  assert.deepEqual(recent.last(0), []);
});

test("what is kept of a long stream takes as much memory as what is kept of a short one", () => {
  const recent = new RecentFrames(CAPACITY);
  const before = process.memoryUsage().arrayBuffers;
  const frame = `${"x".repeat(999)}\n`;
  for (let i = 0; i < 100_000; i++) {
    recent.encode(frame);
    recent.keep(recent.unsent.end - recent.unsent.start);
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024);
  assert.equal(recent.last(3).length, 3);
});
