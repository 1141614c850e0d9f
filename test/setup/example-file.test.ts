import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { NEEDS_SYSTEMD, SystemdMachine } from "#setup-test/support/systemd-machine.js";
import { AgentsMachine, NEEDS_AGENTS, EXAMPLE, EXAMPLE_PATH, findingsIn } from "./agents-machine.js";

test(
  "examples/agentbus.json, copied as it is, makes agents that isolate and talk, and goes without a trace",
  { skip: NEEDS_AGENTS },
  async (context) => {
    const machine = await AgentsMachine.make(context);
    machine.sandbox.write("/etc/agentbus.json", fs.readFileSync(EXAMPLE_PATH, "utf8"));
    // The command of its service is where npm install --global --prefix /usr/local puts it.
    machine.sh(`
      set -e
      mkdir /mnt/local-bin && mount --bind /usr/local/bin /mnt/local-bin && mount -t tmpfs -o mode=755 tmpfs /usr/local/bin
      for each in /mnt/local-bin/*; do ln -s "$each" /usr/local/bin; done
      ln -sf /mnt/bin/agentbus /usr/local/bin/agentbus
    `);
    const before = machine.sandbox.snapshot();

    await context.test("it is applied, verify finds nothing at all, and another apply changes nothing", () => {
      machine.apply();
      assert.deepEqual(findingsIn(machine.verify()), []);
      assert.match(machine.apply(), /nothing to change/);
    });

    await context.test("the command of its service receives what is sent to reviewer", () => {
      const { command } = serviceOf("reviewer");
      const run = `agentbus setup run reviewer -- ${command.map((word) => `'${word}'`).join(" ")}`;
      const received = machine.sh(`
        ${run} > /tmp/received 2>&1 &
        sudo -u codebot env PATH="$PATH" agentbus --group agents publish @reviewer '"please review"'
        timeout 20 sh -c 'until grep -q "please review" /tmp/received; do sleep 0.1; done'
        pkill -KILL -u reviewer; wait; cat /tmp/received`);
      assert.match(received, /please review/);
    });

    await context.test("its sudo rule is allowed, and no other unit", () => {
      const ask = (unit: string) => machine.run(`sudo -u codebot sudo -n -l /usr/bin/systemctl restart ${unit}`).status;
      assert.deepEqual([ask("myapp.service"), ask("ssh.service")], [0, 1]);
    });

    await context.test("removal leaves nothing", () => {
      machine.remove();
      assert.equal(machine.sandbox.snapshot(), before);
    });
  },
);

test(
  "examples/agentbus.json, copied to a machine of systemd where agentbus is elsewhere, makes its agents, and its service once the command is there",
  { skip: NEEDS_SYSTEMD },
  async (context) => {
    const machine = await SystemdMachine.boot(context);
    const { command } = serviceOf("reviewer");
    const [program = ""] = command;
    machine.must([
      ...["sh", "-c"],
      `set -e
      useradd --create-home --user-group alice
      mkdir /mnt/local-bin && mount --bind /usr/local/bin /mnt/local-bin && mount -t tmpfs -o mode=755 tmpfs /usr/local/bin
      for each in /mnt/local-bin/*; do ln -s "$each" /usr/local/bin; done
      ln -sf ${process.execPath} /usr/local/bin/node
      rm -f ${program}`,
    ]);
    machine.write("/etc/agentbus.json", fs.readFileSync(EXAMPLE_PATH, "utf8"));
    const apply = () => {
      const { stdout, stderr } = machine.setup("apply", "--yes", "/etc/agentbus.json");
      return stdout + stderr;
    };
    assert.match(apply(), /it fails while the command is not installed/);
    for (const name of Object.keys(EXAMPLE.agents)) machine.must(["id", name]);
    machine.must(["ln", "-s", machine.agentbus, program]);
    // systemd would try again by itself, a little later.
    machine.must(["systemctl", "restart", "agentbus-reviewer.service"]);
    assert.match(apply(), /nothing to change/);
    const asAlice = ["runuser", "-u", "alice", "--", process.execPath, machine.agentbus, "--group", "agents"];
    // Acknowledged: by the service, as there is nobody else.
    machine.must([...asAlice, "publish", "@reviewer", '"please review"', "--receipt", "--timeout", "60s"]);
  },
);

function serviceOf(agent: string): { readonly command: readonly string[] } {
  const { lifecycle } = EXAMPLE.agents[agent] as { lifecycle?: { service: { command: string[] } } };
  assert.ok(lifecycle !== undefined);
  return lifecycle.service;
}
