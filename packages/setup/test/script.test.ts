import { test } from "node:test";
import { assertSame, NEEDS_NAMESPACES, SandboxMachine } from "./support/sandbox-machine.js";

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

test(
  "what plan --format sh prints, run by root, makes the same as apply",
  { skip: NEEDS_NAMESPACES },
  async (context) => {
    const machines = [await SandboxMachine.make(context), await SandboxMachine.make(context)] as const;
    for (const machine of machines) {
      machine.addHuman("alice");
      machine.write("/tmp/agentbus.json", JSON.stringify(SETUP));
    }
    const [applied, scripted] = machines;
    applied.must([process.execPath, applied.agentbus, "setup", "apply", "/tmp/agentbus.json", "--yes"]);
    const script = scripted.must([
      process.execPath,
      scripted.agentbus,
      "setup",
      "plan",
      "/tmp/agentbus.json",
      "--format",
      "sh",
    ]);
    const command = `agentbus() { ${process.execPath} ${scripted.agentbus} "$@"; }`;
    scripted.must(["sh"], { input: `${command}\n${script}` });
    assertSame(scripted.snapshot(), applied.snapshot(), "both machines are the same");
  },
);
