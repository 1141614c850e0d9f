import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { Ticker } from "#core/subscribe/ticker.js";
import { until } from "../support/spool.js";

const MODULE = JSON.stringify(import.meta.resolve("#core/subscribe/ticker.js"));

test("who is called seldom is called when the process is awake for somebody else anyway", async (context) => {
  const ticker = new Ticker();
  let isAwake = false;
  let often = 0;
  const seldom: boolean[] = [];
  const tickOften = async () => {
    often++;
    isAwake = true;
    queueMicrotask(() => (isAwake = false));
  };
  context.after(ticker.add(tickOften, 40));
  // Out of step with it.
  await new Promise((resolve) => setTimeout(resolve, 15));
  context.after(ticker.add(async () => void seldom.push(isAwake), 80));
  // The other one is not made to wait for it.
  await until(() => seldom.length >= 5 && often > seldom.length);
  assert.ok(seldom.every(Boolean), String(seldom));
});

test("the calls go on after a failure, and end when they are taken back", async () => {
  const ticker = new Ticker();
  const warned = new Promise((resolve) => process.once("warning", resolve));
  let calls = 0;
  const stop = ticker.add(async () => {
    if (++calls === 1) throw new Error("once");
  }, 10);
  await until(() => calls === 3);
  assert.match(String(await warned), /once/);
  stop();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(calls, 3);
});

test("a process whose calls are not to keep it ends, and one whose calls are runs on", () => {
  const run = (module: string) =>
    execFileSync(process.execPath, ["--input-type=module", "--eval", `import { Ticker } from ${MODULE}; ${module}`], {
      encoding: "utf8",
      timeout: 10_000,
    });
  assert.equal(run("new Ticker().add(async () => console.log('called'), 1_000, false);"), "");
  assert.equal(run("const stop = new Ticker().add(async () => stop(console.log('called')), 10);"), "called\n");
});
