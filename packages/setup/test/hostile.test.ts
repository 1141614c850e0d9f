import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test, type TestContext } from "node:test";
import { assertSame, NEEDS_NAMESPACES, SandboxMachine } from "./support/sandbox-machine.js";

const SETUP = {
  version: 1,
  humans: { alice: { groups: ["agents"] } },
  groups: { agents: {} },
  agents: { codebot: { groups: ["agents"] } },
};
const FILE = "/tmp/agentbus.json";

describe("setup, against an agent or an administrator that gets in its way", { skip: NEEDS_NAMESPACES }, () => {
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

  test("an account that took the place of ours is not removed", async (context) => {
    const machine = await prepared(context);
    assert.equal(apply(machine).status, 0);
    machine.sh("userdel codebot; groupadd -f codebot; useradd -M -u 7777 -g codebot codebot");
    machine.setup(["remove", "codebot", "--yes", "--home", "keep"]);
    assert.equal(machine.sh("id -u codebot").trim(), "7777");
  });

  test("all processes of an agent are killed before its account goes, also those that fork as fast as they can", async (context) => {
    const machine = await prepared(context);
    assert.equal(apply(machine).status, 0);
    const uid = machine.sh("id -u codebot").trim();
    const forker =
      "setsid sh -c 'i=0; while [ $i -lt 2000 ]; do i=$((i+1)); (trap \"\" TERM HUP; sleep 1000) & sleep 0.01; done' >/dev/null 2>&1 &";
    machine.must(["su", "codebot", "-s", "/bin/sh", "-c", forker]);
    const { status, stderr } = machine.setup(["remove", "codebot", "--yes", "--home", "delete"]);
    assert.equal(status, 0, stderr);
    // Dead ones that nobody waits for stay in this machine, whose first process is no init.
    assert.doesNotMatch(machine.run(["ps", "-U", uid, "-o", "stat="]).stdout, /^[^Z]/m);
    assert.equal(machine.run(["id", "codebot"]).status, 1);
  });

  test("two applies at once do not mix: one works, the other says so or finds nothing to do", async (context) => {
    const machine = await prepared(context);
    const children = [0, 1].map(() =>
      machine.start([process.execPath, machine.agentbus, "setup", "apply", FILE, "--yes"]),
    );
    const ends = await Promise.all(
      children.map(async (child) => {
        let said = "";
        child.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
        const [code] = (await once(child, "close")) as [number];
        return { code, said };
      }),
    );
    const worked = ends.filter(({ code }) => code === 0);
    assert.ok(worked.length >= 1, JSON.stringify(ends));
    for (const { code, said } of ends) if (code !== 0) assert.match(said, /ERR_SETUP_CONFLICT: .* is at work/);
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
  });

  test("a tool that says it has worked, and has not, is not believed", async (context) => {
    const machine = await prepared(context);
    machine.sh("mount --bind /bin/true /usr/bin/gpasswd");
    const { status, stderr } = apply(machine);
    assert.equal(status, 1);
    assert.match(stderr, /ERR_SETUP_STEP: cannot add codebot to group agents .*its command said nothing against it/);
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
});

async function prepared(context: TestContext): Promise<SandboxMachine> {
  const machine = await SandboxMachine.make(context);
  machine.addHuman("alice");
  machine.write(FILE, JSON.stringify(SETUP));
  return machine;
}

function apply(machine: SandboxMachine, ...options: string[]) {
  return machine.setup(["apply", FILE, "--yes", ...options]);
}

function asCodebot(script: string): string[] {
  return ["su", "codebot", "-s", "/bin/sh", "-c", `HOME=/home/codebot; ${script}`];
}
