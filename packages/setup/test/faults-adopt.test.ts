import assert from "node:assert/strict";
import { test } from "node:test";
import { GIVEN_SETUP, withAccount } from "./support/adopted-account.js";
import { NEEDS_NAMESPACES, SNAPSHOT } from "./support/sandbox-machine.js";
import { applyStopped, removalStopped, type RoundOfFaults } from "./support/stopped-steps.js";

const ROUND = {
  setup: GIVEN_SETUP,
  snapshot: SNAPSHOT,
  adopt: ["codebot", "crew"],
  // One group of three that are left, and what only giving back does: faults.test.ts has the others.
  forgotten: /^codebot\/(not-member-of-tape|group-removed|forgotten)$/,
  // All of them take a minute and a half: FAULTS=all.
  every: process.env["FAULTS"] === "all" ? 1 : 2,
};

for (const [name, code, leastMoments] of [
  [
    "taking over that is stopped at any step is finished by the next apply, and given back as it was",
    applyStopped(ROUND),
    18,
  ],
  [
    "giving back that is stopped at any step is finished by the next removal, to what it was",
    removalStopped(ROUND),
    14,
  ],
] as const) {
  test(name, { skip: NEEDS_NAMESPACES }, async (context) => {
    const machine = await withAccount(context);
    const { moments, problems } = JSON.parse(machine.module(code)) as RoundOfFaults;
    assert.deepEqual(problems, []);
    assert.ok(moments >= leastMoments, `only ${moments} places to stop at`);
  });
}
