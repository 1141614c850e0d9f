import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { assertSame, NEEDS_NAMESPACES, SandboxMachine } from "./support/sandbox-machine.js";

test(
  "a sudoers file with which all of sudoers is refused is taken back by the script, which stops: what was there before is there again",
  {
    skip: NEEDS_NAMESPACES || (spawnSync("visudo", ["-V"]).error === undefined ? false : "needs visudo (Debian: sudo)"),
  },
  async (context) => {
    const machine = await SandboxMachine.make(context);
    const withRule = (service: string) => {
      const sudo = [{ command: ["/usr/bin/systemctl", "restart", service] }];
      const agents = { codebot: { groups: ["agents"], sudo } };
      machine.write("/tmp/agentbus.json", JSON.stringify({ version: 1, groups: { agents: {} }, agents }));
    };
    const runScript = () => {
      const { status, stdout, stderr } = machine.setup(["plan", "/tmp/agentbus.json", "--format", "sh"]);
      assert.equal(status, 0, stderr);
      const command = `agentbus() { ${process.execPath} ${machine.agentbus} "$@"; }`;
      return machine.run(["sh"], { input: `${command}\n${stdout}\necho went on` });
    };
    const path = "/etc/sudoers.d/60-agentbus-codebot";
    const files = () =>
      machine.sh("cd /etc/sudoers.d; ls -A | sort; stat -c '%n %a %U:%G' *; cat 60-agentbus-codebot || :");
    const breakOthers = () =>
      machine.sh("echo 'this is no rule' > /etc/sudoers.d/50-other; chmod 0440 /etc/sudoers.d/50-other");

    withRule("one.service");
    breakOthers();
    const fresh = files();
    const refused = runScript();
    assert.notEqual(refused.status, 0);
    assert.match(refused.stderr, /60-agentbus-codebot is as it was: with the new one that check fails\n$/);
    assert.doesNotMatch(refused.stdout, /went on/);
    assertSame(files(), fresh, "nothing was there before");

    machine.sh("rm /etc/sudoers.d/50-other");
    // The script keeps no ledger: what it made has to be made by apply for the next plan.
    const { status, stderr } = machine.setup([
      "apply",
      "/tmp/agentbus.json",
      "--yes",
      "--adopt",
      "codebot",
      "--adopt",
      "agents",
    ]);
    assert.equal(status, 0, stderr);
    assert.match(machine.sh(`cat ${path}`), /one\.service/);
    withRule("two.service");
    breakOthers();
    const applied = files();
    const again = runScript();
    assert.notEqual(again.status, 0);
    assert.match(again.stderr, /is as it was/);
    assertSame(files(), applied, "the old one is there again");

    machine.sh("rm /etc/sudoers.d/50-other");
    assert.match(runScript().stdout, /went on/);
    assert.match(files(), /two\.service/);
    assert.doesNotMatch(files(), /\.agentbus|one\.service/);
  },
);
