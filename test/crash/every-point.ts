import assert from "node:assert/strict";
import { test } from "node:test";
import { describePoint, findPoints, killAt } from "./kill-point.js";
import type { KillPoint } from "./child.js";
import type { Scenario } from "./scenarios.js";

export interface Thoroughness {
  /**
   * Also after each call, though the disk is then as it is before the next one, and also where the same was done before in another
   * scenario. @default false
   */
  readonly all?: boolean;
}

/** Steps that are the same wherever they occur; only what puts a thing in its place is looked at each time. */
const ROUTINE = /^(?!link|rename).*(?:draft|presence|heartbeat|lock|\.new-|\.gone-|\.touch-)/;
/** Of the points, those to which no process may come, because all are faster or slower than the one that found them. */
const MISSED_SHARE = 0.1;
/** Processes that try to come to a point. */
const TRIES = 3;
/** What every scenario does to get going and to end. */
const COMMON_PHASES: ReadonlySet<string> = new Set(["open", "subscribe", "close"]);

/** A test for each scenario: plays it again and again, killed at one point after the other. */
export function testEveryPoint(scenarios: readonly Scenario[], { all = false }: Thoroughness = {}): void {
  const seen = new Set<string>();
  for (const scenario of scenarios) {
    const needsRoot = scenario.isGroup === true && process.geteuid?.() !== 0;
    const skip = needsRoot && "needs root, to make a group's spool";
    test(
      `a process that is killed wherever it changes the disk loses nothing: ${scenario.name}`,
      { skip },
      async (context) => {
        const points = await findPoints(scenario);
        const chosen = all ? points : points.filter((point) => point === points.at(-1) || isWorthALook(point, seen));
        assert.ok(chosen.length > 0, "nothing was done to the disk");
        context.diagnostic(`${chosen.length} kills, ${points.length} points`);
        const { failures, missed } = await killAtEach(scenario, chosen);
        assert.equal(failures.length, 0, `${failures.length} of ${chosen.length}:\n${failures.join("\n")}`);
        if (missed.length > 0) context.diagnostic(`not come to: ${missed.join(", ")}`);
        assert.ok(areFew(missed, chosen), `not come to: ${missed.join(", ")}`);
      },
    );
  }
}

/** Whether so few were missed that the machine's speed explains it. */
export function areFew(missed: readonly string[], points: readonly KillPoint[]): boolean {
  return missed.length <= Math.floor(points.length * MISSED_SHARE);
}

/** Kills at each of the points. @returns what went wrong, with the names of the points, and those to which no process came */
export async function killAtEach(
  scenario: Scenario,
  points: readonly KillPoint[],
): Promise<{ failures: string[]; missed: string[] }> {
  const failures: string[] = [];
  const missed: string[] = [];
  for (const point of points) {
    try {
      let wasKilled = false;
      for (let tries = 0; !wasKilled && tries < TRIES; tries++) wasKilled = await killAt(scenario, point);
      if (!wasKilled) missed.push(describePoint(point));
    } catch (error) {
      failures.push(`${describePoint(point)}\n  ${(error as Error).message.replaceAll("\n", "\n  ")}`);
    }
  }
  return { failures, missed };
}

function isWorthALook(point: KillPoint, seen: Set<string>): boolean {
  if (point.when === "after") return false;
  const isCommon = COMMON_PHASES.has(point.phase);
  if (!isCommon && !ROUTINE.test(point.name)) return true;
  const description = ROUTINE.test(point.name) ? point.name : describePoint(point);
  if (seen.has(description)) return false;
  seen.add(description);
  return true;
}
