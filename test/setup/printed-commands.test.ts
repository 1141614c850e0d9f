import assert from "node:assert/strict";
import { test } from "node:test";
import { AgentsMachine, NEEDS_AGENTS } from "./agents-machine.js";

const FILE = "/etc/agentbus.json";

test(
  "what setup tells a person to give as root can be given as it is, wherever sudo looks for programs",
  { skip: NEEDS_AGENTS },
  async (context) => {
    const machine = await AgentsMachine.make(context);
    machine.sh("echo 'alice ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/99-alice; chmod 0440 /etc/sudoers.d/99-alice");
    const asAlice = (command: string) => {
      const { status, stdout, stderr } = machine.run(`sudo -u alice env "PATH=$PATH" sh -c '${command}' 2>&1`);
      return { status, said: stdout + stderr };
    };
    const told = (command: string, pattern: RegExp): string => {
      const { said } = asAlice(command);
      const found = pattern.exec(said)?.[1];
      assert.ok(found !== undefined, said);
      return found;
    };

    await context.test("where sudo does not find agentbus, by the PATH of the person", () => {
      const apply = told(`agentbus setup apply ${FILE}`, /fix: (.*);/);
      assert.equal(apply, `sudo env "PATH=$PATH" agentbus setup apply ${FILE}`);
      assert.equal(told(`agentbus setup plan ${FILE}`, /changes; to do it: (.*)/), apply);
      const verify = told(`${apply} --yes`, /changes made; to see whether it isolates: (.*)/);
      assert.equal(told(`agentbus setup verify ${FILE}`, /fix: (.*)/), verify);
      assert.match(asAlice(verify).said, /3 agents: .* 0 errors/);
    });

    await context.test("where sudo finds it, by its name", () => {
      machine.sh("ln -s /mnt/agentbus/packages/cli/bin/agentbus.cjs /usr/local/sbin/agentbus");
      const hasNode = machine.run("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin command -v node");
      const prefix = hasNode.status === 0 ? "sudo agentbus" : 'sudo env "PATH=$PATH" agentbus';
      const remove = told("agentbus setup remove codebot", /fix: (.*)/);
      assert.equal(remove, `${prefix} setup remove codebot`);
      assert.equal(asAlice(`${remove} --yes --home delete`).status, 0);
      const all = told("agentbus setup remove --all", /fix: (.*)/);
      assert.equal(asAlice(`${all} --yes --home delete`).status, 0);
    });

    await context.test("a file that root does not go by is copied by the command that it names", () => {
      machine.sh(`install -m 0666 ${FILE} /tmp/open.json`);
      const prefix = 'sudo env "PATH=$PATH" agentbus';
      const [command, next] = told(`${prefix} setup apply /tmp/open.json`, /fix: .*: (sudo install .*)/).split("; ");
      assert.equal(asAlice(command ?? "").status, 0);
      assert.equal(machine.sh("stat -c '%U %a' /etc/agentbus.json").trim(), "root 644");
      assert.equal(next, "agentbus setup plan /etc/agentbus.json");
      assert.equal(asAlice(next).status, 0);
    });

    await context.test("what is there already is taken over by one command", () => {
      machine.sh("groupadd agents; useradd -m -U -s /bin/bash codebot");
      const apply = told(`agentbus setup apply ${FILE}`, /fix: (.*);/);
      const { status, said } = asAlice(`${apply} --yes`);
      assert.equal(status, 1, said);
      const adopt = /fix: if they are meant: (.*); removal will leave them there/.exec(said)?.[1] ?? "";
      assert.match(adopt, / --adopt agents --adopt codebot$/);
      assert.equal(asAlice(`${adopt} --yes`).status, 0);
    });
  },
);
