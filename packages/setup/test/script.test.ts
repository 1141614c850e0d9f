import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { assertSame, NEEDS_NAMESPACES, SandboxMachine } from "./support/sandbox-machine.js";

const FILE = "/tmp/agentbus.json";
const SETUP = {
  version: 1,
  humans: { alice: { groups: ["agents", "others"] } },
  groups: { agents: { limits: { maxHops: 4 } }, others: {} },
  agents: {
    codebot: {
      groups: ["agents"],
      git: { name: "Jürgen's \u202Etob\u202C", email: "c@example.org" },
      limits: { files: 4096 },
    },
    reviewer: {
      groups: ["agents", "others"],
      sudo: [{ command: ["/usr/bin/systemctl", "restart", "myapp.service"] }],
    },
  },
};

/** What agents and administrators may have changed since apply. */
const DRIFT = [
  "chmod 0755 /home/codebot",
  "usermod -aG tape codebot",
  "gpasswd -d reviewer others",
  "su codebot -c 'sed -i s/027/022/ ~/.bashrc && chmod 0644 ~/.config/agentbus/env'",
  "chmod 2770 /var/spool/agentbus/agents/subscriptions",
  "echo 'reviewer ALL=(root) NOPASSWD: ALL' >> /etc/sudoers.d/60-agentbus-reviewer",
];

describe("what plan --format sh prints, run by root,", { skip: NEEDS_NAMESPACES }, () => {
  test("makes the same as apply", async (context) => {
    const [applied, scripted] = [await prepared(context), await prepared(context)];
    apply(applied);
    runScript(scripted);
    assertSame(scripted.snapshot(), applied.snapshot(), "both machines are the same");
  });

  test("puts right what has drifted, all in one, and leaves nothing for apply to change", async (context) => {
    const machine = await prepared(context);
    apply(machine);
    const wanted = machine.snapshot();
    for (const drift of DRIFT) {
      const before = machine.snapshot();
      machine.sh(drift);
      assert.ok(machine.snapshot() !== before, drift);
    }
    const script = runScript(machine);
    assert.doesNotMatch(script, /\buser(add|del)\b/, "only what differs");
    assertSame(machine.snapshot(), wanted, "as applied");
    assert.match(apply(machine), /nothing to change/);
  });
});

async function prepared(context: TestContext): Promise<SandboxMachine> {
  const machine = await SandboxMachine.make(context);
  machine.addHuman("alice");
  machine.write(FILE, JSON.stringify(SETUP));
  return machine;
}

/** @returns what it said */
function apply(machine: SandboxMachine): string {
  const { status, stderr } = machine.setup(["apply", FILE, "--yes"]);
  assert.equal(status, 0, stderr);
  return stderr;
}

/** @returns the script that was run */
function runScript(machine: SandboxMachine): string {
  const { status, stdout, stderr } = machine.setup(["plan", FILE, "--format", "sh"]);
  assert.equal(status, 0, stderr);
  machine.must(["sh"], { input: `agentbus() { ${process.execPath} ${machine.agentbus} "$@"; }\n${stdout}` });
  return stdout;
}
