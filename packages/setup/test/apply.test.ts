import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { HeldProgram } from "./support/held-program.js";
import { apply, FILE, prepared, SETUP } from "./support/prepared-machine.js";
import { assertSame, NEEDS_NAMESPACES } from "./support/sandbox-machine.js";

describe("apply", { skip: NEEDS_NAMESPACES }, () => {
  test("what has drifted is put right: modes of the home, of the spool and of the environment file, groups, umask", async (context) => {
    const machine = await prepared(context);
    assert.equal(apply(machine).status, 0);
    const wanted = machine.snapshot();
    for (const drift of [
      "chmod 0755 /home/codebot",
      "chmod 2770 /var/spool/agentbus/agents/subscriptions",
      "chmod 0777 /var/spool/agentbus/agents",
      "chown codebot /var/spool/agentbus/agents/outbox",
      "rmdir /var/spool/agentbus/agents/pipes",
      "usermod -aG tape codebot",
      "gpasswd -d codebot agents",
      "gpasswd -d alice agents",
      "usermod -s /bin/sh codebot",
      "su codebot -c 'chmod 0644 ~/.config/agentbus/env'",
      "su codebot -c 'sed -i s/027/022/ ~/.bashrc'",
      "su codebot -c 'rm ~/.zshenv'",
    ]) {
      machine.sh(drift);
      assert.ok(machine.snapshot() !== wanted, drift);
      const { status, stderr } = apply(machine);
      assert.equal(status, 0, `${drift}\n${stderr}`);
      assertSame(machine.snapshot(), wanted, drift);
    }
    assert.match(apply(machine).stderr, /nothing to change/);
  });

  test("while one apply is at work another apply, a removal and a closing of homes are refused, and name its process; a plan is not", async (context) => {
    const machine = await prepared(context);
    machine.sh("chmod 0755 /home/alice");
    const gpasswd = HeldProgram.hold(machine, "/usr/bin/gpasswd");
    const worker = machine.start([process.execPath, machine.agentbus, "setup", "apply", FILE, "--yes"]);
    const ended = once(worker, "close");
    await gpasswd.reached();
    const pid = machine.sh("cat /var/lib/agentbus/setup.pid").trim();
    assert.match(machine.sh(`tr '\\0' ' ' < /proc/${pid}/cmdline`), /setup apply/);
    const before = machine.snapshot();
    const closing = `
      import { closeHome, openHomes, readSetupFile, SystemMachine } from "/mnt/agentbus/packages/setup/dist/index.js";
      const machine = await SystemMachine.look();
      const [home] = await openHomes(readSetupFile("${FILE}"), machine);
      await closeHome(machine, home).catch(({ code, message, fix }) => { console.error(code + ": " + message + "\\n  fix: " + fix); process.exitCode = 1; });`;
    for (const { status, stderr } of [
      apply(machine),
      machine.setup(["remove", "codebot", "--yes"]),
      machine.run([process.execPath, "--input-type=module", "--eval", closing]),
    ]) {
      assert.equal(status, 1);
      assert.equal(
        stderr,
        `ERR_SETUP_CONFLICT: cannot set up now: agentbus setup (process ${pid}) is at work on this machine\n  fix: wait until it has ended, and run this again\n`,
      );
    }
    assert.equal(machine.setup(["plan", FILE]).status, 0);
    assertSame(machine.snapshot(), before, "nothing is changed meanwhile");
    gpasswd.letGo();
    assert.deepEqual(await ended, [0, null]);
    assert.match(apply(machine).stderr, /nothing to change/);
  });

  test("what the file no longer asks for is taken back: sudo rules, limits, and people in groups", async (context) => {
    const machine = await prepared(context);
    assert.equal(apply(machine).status, 0);
    const wanted = machine.snapshot();
    const more = {
      ...SETUP,
      agents: {
        codebot: {
          groups: ["agents"],
          limits: { files: 1024 },
          sudo: [{ command: ["/usr/bin/systemctl", "restart", "myapp.service"] }],
        },
      },
    };
    machine.write(FILE, JSON.stringify(more));
    assert.equal(apply(machine).status, 0);
    assert.match(machine.sh("cat /etc/sudoers.d/60-agentbus-codebot"), /myapp/);
    machine.write(FILE, JSON.stringify(SETUP));
    const { status, stderr } = apply(machine);
    assert.equal(status, 0, stderr);
    assertSame(machine.snapshot(), wanted, "as before");
    machine.write(FILE, JSON.stringify({ ...SETUP, humans: {} }));
    assert.equal(apply(machine).status, 0);
    assert.doesNotMatch(machine.sh("id alice"), /agents/);
    assert.equal(machine.run(["test", "-e", "/etc/sudoers.d/60-agentbus-codebot"]).status, 1);
    assert.match(apply(machine).stderr, /nothing to change/);
  });

  test("a plan needs no root, not even where sudo's files are hidden, and changes nothing", async (context) => {
    const machine = await prepared(context);
    machine.sh(`chmod 0644 ${FILE}; chmod 0750 /etc/sudoers.d`);
    const planned = () =>
      machine.run(["su", "alice", "-c", `${process.execPath} ${machine.agentbus} setup plan ${FILE} --json`]);
    const fresh = machine.snapshot();
    assert.match(planned().stdout, /"step":"codebot\/account"/);
    assertSame(machine.snapshot(), fresh, "nothing is changed");
    assert.equal(apply(machine).status, 0);
    const { status, stdout, stderr } = planned();
    assert.equal(status, 0, stderr);
    const steps = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { step: string; remarks: string[] });
    for (const { step, remarks } of steps) assert.match(remarks.join(), /only root can see/, step);
    // What the file no longer asks for: a rule that nobody but root may read, or even see.
    machine.write(FILE, JSON.stringify({ ...SETUP, humans: {} }));
    for (const mode of ["0750", "0755"]) {
      machine.sh(`chmod ${mode} /etc/sudoers.d`);
      const without = planned();
      assert.equal(without.status, 0, without.stderr);
      assert.match(without.stdout, /"step":"file:\/etc\/sudoers\.d\/60-agentbus-codebot\/removed"/);
      assert.equal(/"step":"file:[^\n]*only root can see/.test(without.stdout), mode === "0750");
    }
  });

  test("a tool that says it has worked, and has not, is not believed", async (context) => {
    const machine = await prepared(context);
    machine.sh("mount --bind /bin/true /usr/bin/gpasswd");
    const { status, stderr } = apply(machine);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /ERR_SETUP_STEP: a step has failed, "add codebot to group agents" .*its command said nothing against it/,
    );
    assert.match(stderr, /fix: .*gpasswd --add codebot agents/);
    machine.sh("umount /usr/bin/gpasswd");
    assert.equal(apply(machine).status, 0);
  });

  test("a sudo rule that breaks sudo as a whole is taken back at once, and so is a change of one that was there", async (context) => {
    const machine = await prepared(context);
    machine.sh("echo 'this is no rule' > /etc/sudoers.d/50-broken; chmod 0440 /etc/sudoers.d/50-broken");
    assert.match(apply(machine).stderr, /ERR_SETUP_STEP: .*sudo/);
    assert.deepEqual(machine.sh("ls -A /etc/sudoers.d").trim().split("\n"), ["50-broken", "README"]);
    machine.sh("rm /etc/sudoers.d/50-broken");
    assert.equal(apply(machine).status, 0);
    const good = machine.sh("cat /etc/sudoers.d/60-agentbus-codebot");
    machine.sh("echo 'this is no rule' > /etc/sudoers.d/50-broken; chmod 0440 /etc/sudoers.d/50-broken");
    const rule = { command: ["/usr/bin/systemctl", "restart", "myapp.service"] };
    machine.write(FILE, JSON.stringify({ ...SETUP, agents: { codebot: { groups: ["agents"], sudo: [rule] } } }));
    assert.equal(apply(machine).status, 1);
    assert.equal(machine.sh("cat /etc/sudoers.d/60-agentbus-codebot"), good);
    assert.deepEqual(machine.sh("ls -A /etc/sudoers.d").trim().split("\n"), [
      "50-broken",
      "60-agentbus-codebot",
      "README",
    ]);
  });

  test("an apply that is killed leaves what the next one finishes", async (context) => {
    const machine = await prepared(context);
    const killer = `
      import { applySetup, readSetupFile, SystemMachine } from "/mnt/agentbus/packages/setup/dist/index.js";
      const onMoment = ({ change, at }) => { if (change.id === "codebot/account" && at === "acted") process.kill(process.pid, "SIGKILL"); };
      await applySetup(readSetupFile("${FILE}"), await SystemMachine.look(), { agentbus: ["false"], onMoment });`;
    assert.notEqual(machine.run([process.execPath, "--input-type=module", "--eval", killer]).status, 0);
    assert.equal(machine.run(["id", "codebot"]).status, 0);
    const { status, stderr } = apply(machine);
    assert.equal(status, 0, stderr);
    assert.match(apply(machine).stderr, /nothing to change/);
  });

  test("keys in the environment file reach the agent's sessions as they are written, and nothing in it is run", async (context) => {
    const machine = await prepared(context);
    assert.equal(apply(machine).status, 0);
    const keys = [
      "# a comment",
      "KEY=a b $HOME $(touch /tmp/run) 'c",
      'QUOTED="x y"',
      "UID=0",
      "touch /tmp/run",
      "LAST=no line end",
    ];
    machine.must(["su", "codebot", "-c", "cat > ~/.config/agentbus/env"], { input: keys.join("\n") });
    for (const shell of ["/bin/bash", "/bin/sh"]) {
      machine.sh(`usermod -s ${shell} codebot`);
      const { stdout, stderr } = machine.setup(["run", "codebot", "--", "printenv", "KEY", "QUOTED", "LAST"]);
      assert.equal(stdout, "a b $HOME $(touch /tmp/run) 'c\nx y\nno line end\n", stderr);
    }
    assert.equal(machine.run(["test", "-e", "/tmp/run"]).status, 1);
  });
});
