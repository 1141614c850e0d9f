import assert from "node:assert/strict";
import { test } from "node:test";
import { AgentsMachine, NEEDS_AGENTS, findingsIn, type VerifyRecord } from "./agents-machine.js";

test(
  "agents can be made and verified from where none of them can read agentbus, and verify says that they cannot run it",
  { skip: NEEDS_AGENTS },
  async (context) => {
    const machine = await AgentsMachine.make(context);
    machine.sh("chmod 0700 /mnt");
    machine.apply();
    assert.deepEqual(machine.errors(), []);
    const unusable = findingsIn(machine.verify()).filter(({ check }) => check === "command-usable");
    assert.deepEqual(unusable.map(({ agent = "" }) => agent).sort(), ["auditor", "codebot", "reviewer"]);
    assert.equal(machine.run("sudo -u alice ls /mnt/agentbus").status, 2);
  },
);

test(
  "verify says how to install Node and agentbus for everybody, and finds nothing where that has been done",
  { skip: NEEDS_AGENTS },
  async (context) => {
    const machine = await AgentsMachine.make(context);
    machine.apply();
    // Somebody's own, in a directory that only root enters, where an administrator finds them last. npm would get agentbus from its
    // registry; here it puts the repository's own in the place that it is told.
    machine.sh(`
      set -e
      mkdir /mnt/own && chmod 0700 /mnt/own
      cp "$(readlink -f "$(command -v node)")" /mnt/own/node
      mount -t tmpfs -o mode=755 tmpfs /usr/local/bin
      rm /mnt/bin/agentbus
      cat > /mnt/bin/npm <<'END'
#!/bin/sh
test "$*" = "install --global --prefix /usr/local @agentbus/cli" && ln -s /mnt/agentbus/packages/cli/bin/agentbus.cjs /usr/local/bin/agentbus
END
      chmod 0755 /mnt/bin/npm
      mkdir /mnt/own/cli && mount --bind /mnt/agentbus /mnt/own/cli
    `);
    const verify = () => {
      const own = "/mnt/own/cli/packages/cli/bin/agentbus.cjs";
      const script = `test -x /usr/local/bin/node && PATH=/usr/local/bin:$PATH || PATH=/mnt/own:$PATH
        at=$(command -v agentbus) || at=${own}
        exec node "$at" setup verify /etc/agentbus.json --json`;
      const { stdout } = machine.run(script);
      return findingsIn(
        stdout
          .split("\n")
          .filter(Boolean)
          .map((line) => JSON.parse(line) as VerifyRecord),
      );
    };
    for (const fix of [
      "install -m 0755 /mnt/own/node /usr/local/bin/node",
      "npm install --global --prefix /usr/local @agentbus/cli",
    ]) {
      const found = verify();
      assert.deepEqual(
        found.map(({ check, severity, agent = "" }) => `${severity} ${check} ${agent}`).sort(),
        ["auditor", "codebot", "reviewer"].map((agent) => `warning command-usable ${agent}`),
      );
      assert.deepEqual([...new Set(found.map((finding) => finding.fix))], [fix]);
      assert.ok(found.every(({ evidence }) => evidence.includes("EACCES")));
      machine.mend(fix);
    }
    assert.deepEqual(verify(), []);
  },
);
