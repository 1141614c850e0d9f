import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { apply, asCodebot, FILE, prepared } from "./support/prepared-machine.js";
import { assertSame, NEEDS_NAMESPACES } from "./support/sandbox-machine.js";

describe("setup, against an agent or a machine that gets in its way", { skip: NEEDS_NAMESPACES }, () => {
  test("a home that is a link is not followed, neither before the account exists nor after", async (context) => {
    const machine = await prepared(context);
    machine.sh("mkdir /etc/precious && ln -s /etc/precious /home/codebot");
    const before = machine.snapshot();
    const early = apply(machine);
    assert.equal(early.status, 1);
    assert.match(
      early.stderr,
      /ERR_SETUP_CONFLICT: .*\/home\/codebot is there before the account, and is a symbolic link/,
    );
    assertSame(machine.snapshot(), before, "nothing is changed");
    machine.sh("rm /home/codebot");
    assert.equal(apply(machine).status, 0);
    machine.sh("rm -r /home/codebot && ln -s /etc/precious /home/codebot");
    const late = apply(machine);
    assert.match(late.stderr, /\/home\/codebot is a symbolic link/);
    machine.setup(["remove", "codebot", "--yes", "--home", "delete", "--file", FILE]);
    assert.equal(
      machine.sh("ls -ld --time-style=+ /etc/precious").replace(/\s+$/, ""),
      "drwxr-xr-x 2 root root 4096  /etc/precious".replace("4096", machine.sh("stat -c %s /etc/precious").trim()),
    );
  });

  test("links, FIFOs and directories in the place of shell files lead root nowhere", async (context) => {
    const machine = await prepared(context);
    assert.equal(apply(machine).status, 0);
    const shadow = machine.sh("sha256sum /etc/shadow; stat -c '%a %u' /etc/shadow");
    for (const plant of [
      "ln -sf /etc/shadow .profile",
      "rm -f .zshenv && mkfifo .zshenv",
      "rm -f .bashrc && mkdir .bashrc",
      "rm -rf .config && ln -s /etc .config",
    ]) {
      machine.must(asCodebot(`cd ~ && ${plant}`));
      const { status, stderr } = apply(machine);
      assert.equal(status, 1, plant);
      assert.match(stderr, /ERR_SETUP_STEP/, plant);
      assert.equal(machine.sh("sha256sum /etc/shadow; stat -c '%a %u' /etc/shadow"), shadow, plant);
      assert.equal(machine.run(["test", "-e", "/etc/agentbus"]).status, 1, plant);
      machine.must(asCodebot("cd ~ && rm -rf .profile .zshenv .bashrc .config"));
    }
    assert.equal(apply(machine).status, 0);
  });

  test("an account or group that is there already is only taken over when somebody says so, and stays at removal", async (context) => {
    const machine = await prepared(context);
    machine.sh("groupadd agents; useradd -m -U -s /bin/bash codebot");
    const before = machine.snapshot();
    const refused = apply(machine);
    assert.match(
      refused.stderr,
      /there is a group agents already.*there is an account codebot already.*setup did not make it/,
    );
    assert.match(refused.stderr, /--adopt agents/);
    assertSame(machine.snapshot(), before, "nothing is changed");
    const adopted = apply(machine, "--adopt", "codebot", "--adopt", "agents");
    assert.equal(adopted.status, 0, adopted.stderr);
    assert.equal(machine.setup(["remove", "--all", "--yes"]).status, 0);
    assert.equal(machine.run(["id", "codebot"]).status, 0);
    assert.equal(machine.run(["getent", "group", "agents"]).stdout.split(":")[3], "\n");
    assert.equal(machine.run(["test", "-f", "/home/codebot/.bashrc"]).status, 0);
  });

  test("an account of the system is never taken over", async (context) => {
    const machine = await prepared(context);
    machine.sh("useradd --system codebot");
    assert.match(apply(machine, "--adopt", "codebot").stderr, /codebot is an account of the system/);
    assert.match(machine.setup(["remove", "codebot", "--yes", "--file", FILE]).stderr, /setup has no such agent/);
    assert.equal(machine.run(["id", "codebot"]).status, 0);
  });

  test("a number that somebody else has by now is not used, nor one that a removed agent had", async (context) => {
    const machine = await prepared(context);
    machine.sh("groupadd -g 2000 taken; useradd -u 2001 -M taker");
    assert.equal(apply(machine).status, 0);
    const first = Number(machine.sh("id -u codebot"));
    assert.ok(![2000, 2001].includes(first));
    machine.sh("su codebot -c 'touch /tmp/left-behind'");
    const removed = machine.setup(["remove", "codebot", "--yes", "--home", "delete"]);
    assert.match(removed.stderr, /\/tmp\/left-behind/);
    assert.equal(apply(machine).status, 0);
    assert.notEqual(Number(machine.sh("id -u codebot")), first);
    assert.equal(machine.sh("stat -c %U /tmp/left-behind").trim(), "UNKNOWN");
  });

  test("an apply after a removal that was stopped between account and group gives another uid", async (context) => {
    const machine = await prepared(context);
    assert.equal(apply(machine).status, 0);
    const first = machine.sh("id -u codebot").trim();
    const stopper = `
      import { removeSetup, SystemMachine } from "/mnt/agentbus/packages/setup/dist/index.js";
      const onMoment = ({ change, at }) => { if (change.id === "codebot/account-removed" && at === "acted") throw new Error("stopped"); };
      await removeSetup(await SystemMachine.look(), { agentbus: ["false"], agents: ["codebot"], onMoment });`;
    assert.match(machine.run([process.execPath, "--input-type=module", "--eval", stopper]).stderr, /stopped/);
    // Where the group does not go with the account.
    machine.sh(`getent group codebot || groupadd -g ${first} codebot`);
    const { status, stderr } = apply(machine);
    assert.equal(status, 0, stderr);
    assert.notEqual(machine.sh("id -u codebot").trim(), first);
    assert.match(apply(machine).stderr, /nothing to change/);
  });
});
