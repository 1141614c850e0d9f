import assert from "node:assert/strict";
import { test } from "node:test";
import { BUSYBOX_SNAPSHOT, busyboxMachine, NEEDS_BUSYBOX } from "./support/busybox-machine.js";
import { assertSame } from "./support/sandbox-machine.js";
import { applyStopped, removalStopped, type RoundOfFaults } from "./support/stopped-steps.js";

const SETUP = {
  version: 1,
  humans: { alice: { groups: ["agents"] } },
  groups: { agents: { limits: { maxBacklog: 500 } }, ops: {} },
  agents: {
    codebot: { groups: ["agents"], channels: { pipes: false }, limits: { memory: "1G", files: 4096 } },
    reviewer: { groups: ["agents", "ops"] },
  },
};
const FILE = "/etc/agentbus.json";

test(
  "with busybox's account tools agents are made, repaired, isolated, talk, and leave nothing",
  { skip: NEEDS_BUSYBOX },
  async (context) => {
    const machine = await busyboxMachine(context);
    machine.write(FILE, JSON.stringify(SETUP));
    const snapshot = () => machine.sh(BUSYBOX_SNAPSHOT);
    const before = snapshot();
    const apply = () => machine.setup(["apply", FILE, "--yes"]);

    const first = apply();
    assert.equal(first.status, 0, first.stderr);
    const wanted = snapshot();
    await context.test("which limits do not hold there is said, by apply too", () => {
      const note = /limits of codebot on this machine: not held: memory, files \(without systemd .*; busybox .*\)/;
      assert.match(first.stderr, note);
      const { notes } = JSON.parse(machine.setup(["apply", FILE, "--yes", "--json"]).stdout) as { notes: string[] };
      assert.equal(notes.length, 1);
      assert.match(notes.join(), note);
    });

    await context.test("another apply changes nothing", () => {
      assert.match(apply().stderr, /nothing to change/);
      assertSame(snapshot(), wanted, "applied twice");
    });

    await context.test("what it says makes a member is a command that there is", () => {
      const { stdout, stderr } = machine.run([process.execPath, machine.agentbus, "init", "--group", "users"]);
      const command = /To add one: (.*), then NAME/.exec(stderr)?.[1] ?? stdout + stderr;
      machine.sh(command.replace("NAME", "alice"));
      assert.match(machine.sh("id alice"), /users/);
      machine.sh("delgroup alice users; rm -r /var/spool/agentbus/users");
    });

    await context.test("what has drifted is put right", () => {
      for (const drift of [
        "chmod 0755 /home/codebot",
        "chmod 2770 /var/spool/agentbus/agents/subscriptions",
        "addgroup codebot tty",
        "delgroup codebot agents",
        "delgroup alice agents",
        "su -s /bin/sh codebot -c 'chmod 0644 ~/.config/agentbus/env'",
        "su -s /bin/sh codebot -c 'rm ~/.zshenv'",
      ]) {
        machine.sh(drift);
        assert.ok(snapshot() !== wanted, drift);
        const { status, stderr } = apply();
        assert.equal(status, 0, `${drift}\n${stderr}`);
        assertSame(snapshot(), wanted, drift);
      }
    });

    await context.test("verify finds no error", () => {
      const { stdout, stderr } = machine.setup(["verify", FILE, "--json"]);
      const records = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { severity?: string });
      assert.ok(records.length > 20, stderr);
      assert.deepEqual(
        records.filter(({ severity }) => severity === "error"),
        [],
      );
    });

    await context.test("removal leaves what was before", () => {
      const { status, stderr } = machine.setup(["remove", "--all", "--yes"]);
      assert.equal(status, 0, stderr);
      assertSame(snapshot(), before, "removed");
    });
  },
);

test(
  "with busybox's account tools an account that was there is taken over, and given back as it was",
  { skip: NEEDS_BUSYBOX },
  async (context) => {
    const machine = await busyboxMachine(context);
    machine.sh(`adduser -D -u 41500 -G users -s /bin/sh codebot; addgroup codebot tty; chmod 0755 /home/codebot
      echo 'umask 022' > /home/codebot/.profile; chown codebot:users /home/codebot/.profile`);
    machine.write(FILE, JSON.stringify(SETUP));
    const before = machine.sh(BUSYBOX_SNAPSHOT);
    const adopted = machine.setup(["apply", FILE, "--yes", "--adopt", "codebot"]);
    assert.equal(adopted.status, 0, adopted.stderr);
    assert.equal(machine.sh("id -Gn codebot; stat -c %a /home/codebot"), "users agents\n700\n");
    const { status, stderr } = machine.setup(["remove", "--all", "--yes"]);
    assert.equal(status, 0, stderr);
    assertSame(machine.sh(BUSYBOX_SNAPSHOT), before, "as before");
  },
);

test(
  "with busybox's account tools a group that was there stays, when the account of its name goes",
  { skip: NEEDS_BUSYBOX },
  async (context) => {
    const machine = await busyboxMachine(context);
    machine.sh("addgroup -g 41903 codebot");
    machine.write(FILE, JSON.stringify(SETUP));
    assert.equal(machine.setup(["apply", FILE, "--yes", "--adopt", "codebot"]).status, 0);
    const { status, stderr } = machine.setup(["remove", "--all", "--yes"]);
    assert.equal(status, 0, stderr);
    assert.match(machine.sh("cat /etc/group"), /^codebot:x:41903:$/m);
  },
);

const ROUND = { setup: { ...SETUP, agents: { codebot: SETUP.agents.codebot } }, snapshot: BUSYBOX_SNAPSHOT };
for (const [name, code] of [
  ["with busybox's account tools an apply that is stopped at any step is finished by the next", applyStopped(ROUND)],
  ["with busybox's account tools a removal that is stopped at any step is finished by the next", removalStopped(ROUND)],
] as const) {
  test(name, { skip: NEEDS_BUSYBOX }, async (context) => {
    const machine = await busyboxMachine(context);
    const { moments, problems } = JSON.parse(machine.module(code)) as RoundOfFaults;
    assert.deepEqual(problems, []);
    assert.ok(moments >= 20, `only ${moments} places to stop at`);
  });
}
