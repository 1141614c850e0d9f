import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  assertNothingHalfVisible,
  assertNothingLeft,
  assertNothingLost,
  readNotes,
  restartAndDrain,
} from "./aftermath.js";
import type { ChildTask, KillPoint } from "./child.js";
import { Journal } from "./journal.js";
import { makeSpoolFor, type Scenario } from "./scenarios.js";
import { Stage } from "./stage.js";

const CHILD = fileURLToPath(new URL("child.js", import.meta.url));

/** Plays a scenario to its end. @returns every point at which its process can be killed to some effect */
export async function findPoints(scenario: Scenario): Promise<KillPoint[]> {
  return inScratch(async (dir) => {
    const pointsPath = join(dir, "points");
    await play(scenario, dir, { pointsPath });
    return JSON.parse(fs.readFileSync(pointsPath, "utf8")) as KillPoint[];
  });
}

/**
 * Plays a scenario whose process kills itself at a point, then restarts everything and looks at what became of it.
 * @returns whether it came to that point: what waits for a timer is done together with something else, or not, as the machine is fast
 */
export async function killAt(scenario: Scenario, kill: KillPoint): Promise<boolean> {
  return inScratch((dir) => play(scenario, dir, { kill }));
}

export function describePoint({ phase, when, name, nth }: KillPoint): string {
  return `${phase}: ${when} ${name}${nth === 1 ? "" : ` (${nth})`}`;
}

async function play(scenario: Scenario, dir: string, how: Pick<ChildTask, "kill" | "pointsPath">): Promise<boolean> {
  const spoolPath = join(dir, "spool");
  await makeSpoolFor(scenario, spoolPath);
  const journals = { parent: join(dir, "parent"), child: join(dir, "child"), restart: join(dir, "restart") };
  if (scenario.prepare !== undefined) {
    const journal = new Journal(journals.parent);
    await scenario.prepare(new Stage({ spoolPath, journal, name: "parent" }));
    journal.close();
  }
  const task: ChildTask = { scenario: scenario.name, spoolPath, journalPath: journals.child, ...how };
  const wasKilled = await runChild(task);
  assertNothingHalfVisible(spoolPath);
  const journal = new Journal(journals.restart);
  try {
    await restartAndDrain(new Stage({ spoolPath, journal, name: "restart" }));
  } finally {
    journal.close();
  }
  await assertNothingLeft(spoolPath);
  assertNothingLost(readNotes(journals.parent, journals.child, journals.restart), { inOrder: true });
  return wasKilled;
}

/**
 * Plays a scenario in a process of its own.
 * @returns whether it killed itself
 * @throws AssertionError unless it did that, where the task says so, or came to its end
 */
export async function runChild(task: ChildTask): Promise<boolean> {
  const child = spawn(process.execPath, [CHILD, JSON.stringify(task)], { stdio: ["ignore", "ignore", "pipe"] });
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complaints += text));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.on("close", (...outcome) => resolve(outcome));
  });
  const wasKilled = task.kill !== undefined && signal === "SIGKILL";
  const expected = wasKilled ? [null, "SIGKILL"] : [0, null];
  assert.deepEqual([code, signal], expected, `the process did not end as it should: ${complaints}`);
  return wasKilled;
}

export async function inScratch<T>(action: (dir: string) => Promise<T>): Promise<T> {
  const dir = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "agentbus-crash-")));
  try {
    return await action(dir);
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
}
