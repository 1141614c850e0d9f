import assert from "node:assert/strict";
import { test } from "node:test";
import { NEEDS_NAMESPACES } from "#setup-test/support/sandbox-machine.js";
import { AgentsMachine, findingsIn } from "./agents-machine.js";

test(
  "agents can be made and verified from where none of them can read agentbus, and verify says that they cannot run it",
  { skip: NEEDS_NAMESPACES },
  async (context) => {
    const machine = await AgentsMachine.make(context);
    machine.sh("chmod 0700 /mnt");
    machine.apply();
    assert.deepEqual(machine.errors(), []);
    const unusable = findingsIn(machine.verify()).filter(({ check }) => check === "command-usable");
    assert.deepEqual(unusable.map(({ agent = "" }) => agent).sort(), ["auditor", "codebot", "reviewer"]);
    assert.equal(machine.run("sudo -u anna ls /mnt/agentbus").status, 2);
  },
);
