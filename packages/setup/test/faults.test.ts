import assert from "node:assert/strict";
import { test } from "node:test";
import { NEEDS_NAMESPACES, SandboxMachine, SNAPSHOT } from "./support/sandbox-machine.js";
import { applyStopped, removalStopped, type RoundOfFaults } from "./support/stopped-steps.js";

const SETUP = {
  version: 1,
  humans: { alice: { groups: ["agents"] } },
  groups: { agents: { limits: { maxBacklog: 500 } } },
  agents: {
    codebot: {
      groups: ["agents"],
      channels: { pipes: false },
      git: { name: "codebot", email: "codebot@example.org" },
      limits: { files: 4096 },
      sudo: [{ command: ["/usr/bin/systemctl", "restart", "myapp.service"] }],
    },
  },
};

const ROUND = { setup: SETUP, snapshot: SNAPSHOT };

for (const [name, code, leastMoments] of [
  [
    "an apply that is stopped at any step is finished by the next, to the same end; and removal leaves what was before",
    applyStopped(ROUND),
    26,
  ],
  [
    "a removal that is stopped at any step is finished by the next, and leaves what was before, but for the retired uid",
    removalStopped(ROUND),
    // Those where the ledger has forgotten among them.
    35,
  ],
] as const) {
  test(name, { skip: NEEDS_NAMESPACES }, async (context) => {
    const machine = await SandboxMachine.make(context);
    machine.addHuman("alice");
    const { moments, problems } = JSON.parse(machine.module(code)) as RoundOfFaults;
    assert.deepEqual(problems, []);
    assert.ok(moments >= leastMoments, `only ${moments} places to stop at`);
  });
}
