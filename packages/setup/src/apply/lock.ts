import fs from "node:fs";
import { BusError, processExists } from "@agentbus/core";
import { lock } from "proper-lockfile";
import { makeStateDirectory, stateDir } from "../ledger.js";
import type { Machine } from "../machine.js";

/** A lock whose holder was killed is free after so long; its holder touches it more often. */
const STALE_MS = 10_000;
const UPDATE_MS = 2_000;
const WAIT_MS = 250;

/**
 * Holds the machine for one setup at a time. What a killed one left behind is waited for, as long as it takes to be sure of that.
 * @throws BusError ERR_SETUP_CONFLICT when another is at work
 */
export async function withLock<Result>(machine: Machine, task: () => Promise<Result>): Promise<Result> {
  const dir = stateDir(machine.flavour);
  makeStateDirectory(dir);
  const holderPath = `${dir}/setup.pid`;
  const release = await take(dir, holderPath);
  try {
    fs.writeFileSync(holderPath, `${process.pid}\n`, { mode: 0o644 });
    return await task();
  } finally {
    fs.rmSync(holderPath, { force: true });
    await release();
  }
}

async function take(dir: string, holderPath: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      return await lock(dir, {
        lockfilePath: `${dir}/setup.lock`,
        realpath: false,
        stale: STALE_MS,
        update: UPDATE_MS,
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ELOCKED") throw error;
      const holder = holderOf(holderPath);
      if (holder === undefined || processExists(holder)) throw busy(holder);
      // Killed: its lock counts until nobody has touched it for a while.
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    }
  }
}

function holderOf(path: string): number | undefined {
  try {
    return Number.parseInt(fs.readFileSync(path, "utf8"), 10) || undefined;
  } catch {
    return undefined;
  }
}

function busy(holder: number | undefined): BusError {
  const who = holder === undefined ? "another agentbus setup" : `agentbus setup (process ${holder})`;
  return new BusError("ERR_SETUP_CONFLICT", `cannot set up now: ${who} is at work on this machine`, {
    fix: "wait until it has ended, and run this again",
    details: { pid: holder },
  });
}
