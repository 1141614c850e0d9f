import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test, type TestContext } from "node:test";
import type { SudoCheck } from "#setup/sudo/sudo-check.js";
import { NEEDS_NAMESPACES, SandboxMachine } from "../support/sandbox-machine.js";

const NEEDS_SUDO =
  NEEDS_NAMESPACES || (spawnSync("visudo", ["-V"]).error === undefined ? false : "needs visudo (Debian: sudo)");
const FILE = "/tmp/agentbus.json";
const SETUP = {
  version: 1,
  groups: { agents: {}, ops: {} },
  agents: {
    codebot: {
      groups: ["agents", "ops"],
      sudo: [{ command: ["/etc/deploy", "site", "a=b"] }, { command: ["/etc/other"] }],
    },
    reviewer: { groups: ["agents"] },
  },
};

const AS_WRITTEN = `codebot may, with sudo:
  as written   as root: /etc/deploy site a=b
  as written   as root: /etc/other ""
`;
const HOW = `How this was checked:
  sudo -n -l -l -U codebot  # all that sudo grants
  each program of a rule: owner and mode of it, of links to it and of all directories above
`;

describe("agentbus setup sudo-check", { skip: NEEDS_SUDO }, () => {
  test("names each rule and how it was checked, and ends well, where sudo grants what agentbus.json says", async (context) => {
    const machine = await applied(context);
    assert.deepEqual(check(machine, "codebot"), { status: 0, stdout: `${AS_WRITTEN}${HOW}`, stderr: "" });
    assert.deepEqual(check(machine, "reviewer"), {
      status: 0,
      stdout: `reviewer may do nothing with sudo.\n${HOW.replace("-U codebot", "-U reviewer")}`,
      stderr: "",
    });

    const { status, answer } = checkJson(machine);
    assert.equal(status, 0);
    assert.deepEqual(
      answer.grants.map(({ command, runAs, isPolicy }) => [command, runAs, isPolicy]),
      [
        ["/etc/deploy site a=b", "root", true],
        ['/etc/other ""', "root", true],
      ],
    );
    assert.deepEqual(answer.howChecked, linesBelow(HOW));
    const { agent, missing, origins, objections, weakSettings } = answer;
    assert.deepEqual([agent, missing, origins, objections, weakSettings], ["codebot", [], [], [], []]);
  });

  test("names what another file grants beyond that, and ends with 1", async (context) => {
    const machine = await applied(context);
    // One for the account, and one for a group that agentbus.json puts it into.
    machine.write(
      "/etc/sudoers.d/zz-team",
      "codebot ALL=(ALL) NOPASSWD: /bin/cat *\n%ops ALL=(root) SETENV: /usr/bin/vim\n",
    );
    machine.sh("chmod 0440 /etc/sudoers.d/zz-team");
    assert.deepEqual(check(machine, "codebot"), {
      status: 1,
      stdout: `${AS_WRITTEN}  NOT WRITTEN  as ALL: /bin/cat *
  NOT WRITTEN  as root: /usr/bin/vim (setenv, with a password)
Where more may come from:
  /etc/sudoers.d/zz-team:1: codebot ALL=(ALL) NOPASSWD: /bin/cat *
  /etc/sudoers.d/zz-team:2: %ops ALL=(root) SETENV: /usr/bin/vim
${HOW}`,
      stderr: "",
    });
    assert.equal(check(machine, "reviewer").status, 0, "who is in neither");

    const { status, answer } = checkJson(machine);
    assert.equal(status, 1);
    assert.deepEqual(
      answer.grants.filter(({ isPolicy }) => !isPolicy).map(({ command, runAs }) => [command, runAs]),
      [
        ["/bin/cat *", "ALL"],
        ["/usr/bin/vim", "root"],
      ],
    );
    assert.deepEqual(
      answer.origins.map(({ path, line }) => `${path}:${line}`),
      ["/etc/sudoers.d/zz-team:1", "/etc/sudoers.d/zz-team:2"],
    );
  });

  test("ends with 1 also for a rule that is not in force, a setting that weakens sudo, and a program that others may change", async (context) => {
    const machine = await applied(context);
    const own = "/etc/sudoers.d/60-agentbus-codebot";
    for (const [damage, title, line, mend] of [
      [
        `cp -p ${own} /tmp/own; sed -i /other/d ${own}`,
        String.raw`In agentbus\.json, and not in force \(.*setup apply\):`,
        "as root: /etc/other",
        `cp -p /tmp/own ${own}`,
      ],
      [
        "echo 'Defaults:codebot setenv' > /etc/sudoers.d/zz-weak; chmod 0440 /etc/sudoers.d/zz-weak",
        "Settings of sudo that weaken it:",
        "setenv",
        "rm /etc/sudoers.d/zz-weak",
      ],
      [
        "chmod 0757 /etc/deploy",
        "Against what is written:",
        "/etc/deploy site a=b: .*/etc/deploy has mode 0757: anybody can change what root runs; .*chmod.*",
        "chmod 0755 /etc/deploy",
      ],
    ] as const) {
      machine.sh(damage);
      const { status, stdout } = check(machine, "codebot");
      assert.equal(status, 1, damage);
      assert.match(stdout, new RegExp(`\n${title}\n  ${line}\nHow this was checked:\n`), damage);
      assert.doesNotMatch(stdout, /NOT WRITTEN/, damage);
      machine.sh(mend);
      assert.equal(check(machine, "codebot").status, 0, mend);
    }
  });
});

async function applied(context: TestContext): Promise<SandboxMachine> {
  const machine = await SandboxMachine.make(context);
  machine.sh("for p in deploy other; do printf '#!/bin/sh\\n' > /etc/$p; chmod 0755 /etc/$p; done");
  machine.write(FILE, JSON.stringify(SETUP));
  machine.must([process.execPath, machine.agentbus, "setup", "apply", FILE, "--yes"]);
  return machine;
}

function check(machine: SandboxMachine, agent: string) {
  return machine.setup(["sudo-check", agent, FILE]);
}

function checkJson(machine: SandboxMachine) {
  const { status, stdout, stderr } = machine.setup(["sudo-check", "codebot", FILE, "--json"]);
  assert.equal(stderr, "");
  assert.match(stdout, /^\{.*\}\n$/, "one line");
  return { status, answer: JSON.parse(stdout) as SudoCheck };
}

/** What stands below a title, without being set in. */
function linesBelow(section: string): string[] {
  return section
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => line.trim());
}
