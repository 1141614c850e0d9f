import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { test } from "node:test";
import { openBus } from "@agentbus/core";
import { mkfifo } from "#pipe/send/mkfifo.js";
import { inArena } from "./support/stage.js";

/** Longer than whatever is made takes, in milliseconds. */
const LATER_MS = 120_000;
/** Is killed when it is about to put its FIFO into the drop box. */
const VICTIM = `
  import fs from "node:fs";
  fs.renameSync = () => process.kill(process.pid, "SIGKILL");
  const { openBus } = await import("@agentbus/core");
  const bus = await openBus({ spool: process.env.SPOOL });
  await (await bus.pipe("@" + bus.user)).send("never");
`;

test("the FIFO of a sender that was killed before it offered it is swept, without being opened; one of a process that runs is not", () =>
  inArena(async (arena) => {
    await (await arena.receive()).close();
    const outboxDir = `${arena.spool}/outbox/${arena.user}`;
    const options = { cwd: import.meta.dirname, env: { ...process.env, SPOOL: arena.spool } };
    const { signal } = spawnSync(process.execPath, ["--input-type=module", "--eval", VICTIM], options);
    assert.equal(signal, "SIGKILL");
    const fifos = () => fs.readdirSync(outboxDir).filter((name) => fs.lstatSync(`${outboxDir}/${name}`).isFIFO());
    assert.equal(fifos().length, 1);
    const ours = `.${process.pid}-of-a-living-sender.draft`;
    await mkfifo(`${outboxDir}/${ours}`);
    const { now } = Date;
    Date.now = () => now() + LATER_MS;
    try {
      const bus = await openBus({ spool: arena.spool });
      await bus.pipes();
      // Waits for the sweep that the first use of a channel starts.
      await bus.close();
    } finally {
      Date.now = now;
    }
    assert.deepEqual(fifos(), [ours]);
  }));
