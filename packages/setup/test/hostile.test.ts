import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { apply, asCodebot, FILE, prepared, SETUP } from "./support/prepared-machine.js";
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

  test("a FIFO that git would wait for is recognised at once", async (context) => {
    const machine = await prepared(context);
    const git = { name: "codebot", email: "codebot@example.org" };
    machine.write(FILE, JSON.stringify({ ...SETUP, agents: { codebot: { groups: ["agents"], git } } }));
    assert.equal(apply(machine).status, 0);
    for (const [path, plant] of [
      [".gitconfig", "rm ~/.gitconfig && mkfifo ~/.gitconfig"],
      [".config/git/config", "mkdir -p ~/.config/git && mkfifo ~/.config/git/config"],
    ] as const) {
      machine.must(asCodebot(plant));
      assert.match(apply(machine).stderr, new RegExp(`/home/codebot/${path} is no file`));
      machine.must(asCodebot(`rm ~/${path}`));
    }
    assert.equal(apply(machine).status, 0);
  });

  test("what a member has made by the names of an account that comes later is moved away, by a step that says whose it was", async (context) => {
    const machine = await prepared(context);
    assert.equal(apply(machine).status, 0);
    machine.sh("mkdir /etc/precious && touch /etc/precious/file");
    const spool = "/var/spool/agentbus/agents";
    const plants = [
      `mkdir -p ${spool}/subscriptions/newbot~inbox/new && ln -s /etc/precious ${spool}/subscriptions/newbot~inbox/cur`,
      `ln -s /etc/precious ${spool}/outbox/newbot`,
      `mkfifo ${spool}/run/newbot`,
      `mkdir ${spool}/pipes/newbot`,
    ];
    for (const plant of plants) machine.must(asCodebot(plant));
    machine.write(FILE, JSON.stringify({ ...SETUP, agents: { ...SETUP.agents, newbot: { groups: ["agents"] } } }));
    const { stdout } = machine.setup(["plan", FILE]);
    assert.match(stdout, /move away \S+newbot~inbox, which codebot has made in the place of newbot's own/);
    const applied = apply(machine);
    assert.equal(applied.status, 0, applied.stderr);
    assert.match(apply(machine).stderr, /nothing to change/);
    assert.equal(machine.sh(`stat -c %U ${spool}/subscriptions/newbot~inbox`).trim(), "newbot");
    assert.equal(machine.sh(`stat -c '%a %U' ${spool}/.squatted`).trim(), "2700 root");
    assert.equal(machine.sh("ls /etc/precious; stat -c %U /etc/precious/file").trim(), "file\nroot");
    assert.equal(machine.setup(["remove", "--all", "--yes", "--home", "delete"]).status, 0);
    assert.equal(machine.run(["test", "-e", spool]).status, 1);
    assert.equal(machine.sh("ls /etc/precious").trim(), "file");
  });

  test("root goes by no file that an agent could have written, or put another in its place", async (context) => {
    const machine = await prepared(context);
    assert.equal(apply(machine).status, 0);
    machine.sh("install -d -o codebot /tmp/project; install -d -m 0755 /tmp/own; chgrp agents /tmp/own");
    for (const [path, plant] of [
      ["/tmp/project/agentbus.json", `cp ${FILE} /tmp/project/agentbus.json`],
      ["/tmp/planted.json", `install -o codebot ${FILE} /tmp/planted.json`],
      [
        "/tmp/link.json",
        `cp ${FILE} /tmp/own/agentbus.json; ln -s /tmp/own/agentbus.json /tmp/link.json; chown -h codebot /tmp/link.json`,
      ],
      ["/tmp/through.json", "ln -s project/agentbus.json /tmp/through.json"],
      ["/tmp/open.json", `install -m 0666 ${FILE} /tmp/open.json`],
      ["/tmp/own/agentbus.json", "chmod 0775 /tmp/own"],
    ] as const) {
      machine.sh(plant);
      for (const command of [
        ["apply", path, "--yes"],
        ["verify", path],
        ["add", "another", "--file", path, "--yes"],
      ]) {
        const { status, stderr } = machine.setup(command);
        assert.equal(status, 1, `${command.join(" ")}: ${stderr}`);
        assert.match(stderr, /ERR_SETUP_FILE: root does not go by .* who would be root by that\n {2}fix: look at it/);
      }
    }
    const before = machine.sh("sha256sum /tmp/project/agentbus.json");
    assert.equal(machine.setup(["remove", "codebot", "--yes", "--file", "/tmp/project/agentbus.json"]).status, 0);
    assert.equal(machine.sh("sha256sum /tmp/project/agentbus.json"), before);
  });

  test("root goes by a file of whoever called sudo, also where a group of nobody else may write to it", async (context) => {
    const machine = await prepared(context);
    const file = "/home/alice/agentbus.json";
    machine.sh(`install -o alice -g alice -m 0664 ${FILE} ${file}`);
    const command = ["apply", file, "--yes"];
    assert.equal(machine.setup(command).status, 1);
    const env = { SUDO_UID: machine.sh("id -u alice").trim() };
    assert.equal(machine.setup(command, { env }).status, 0);
    machine.sh(`chgrp agents ${file}`);
    assert.match(machine.setup(command, { env }).stderr, /has mode 0664, so that others may write to it/);
  });

  test("an account or group that is there already is only taken over when somebody says so, and stays at removal", async (context) => {
    const machine = await prepared(context);
    machine.sh("groupadd agents; useradd -m -U -s /bin/bash codebot");
    const before = machine.snapshot();
    const refused = apply(machine);
    assert.match(
      refused.stderr,
      /there is a group agents already.*\n.*there is an account codebot already.*setup did not make it\n/,
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
