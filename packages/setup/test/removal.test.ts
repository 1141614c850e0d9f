import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { apply, FILE, prepared, SETUP } from "./support/prepared-machine.js";
import { assertSame, NEEDS_NAMESPACES } from "./support/sandbox-machine.js";

describe("removal", { skip: NEEDS_NAMESPACES }, () => {
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
    machine.sh(
      "echo '* * * * * true' > /var/spool/cron/crontabs/codebot; chown codebot /var/spool/cron/crontabs/codebot",
    );
    const { status, stderr } = machine.setup(["remove", "codebot", "--yes", "--home", "delete"]);
    assert.equal(status, 0, stderr);
    assert.equal(machine.sh("ls /var/spool/cron/crontabs"), "");
    // Dead ones that nobody waits for stay in this machine, whose first process is no init.
    assert.doesNotMatch(machine.run(["ps", "-U", uid, "-o", "stat="]).stdout, /^[^Z]/m);
    assert.equal(machine.run(["id", "codebot"]).status, 1);
  });

  test("a removal that cannot do all of it does the rest, says what is left, and finishes when it is run again", async (context) => {
    const machine = await prepared(context);
    assert.equal(apply(machine).status, 0);
    machine.sh("su codebot -c 'mkdir ~/data; echo work > ~/data/file' && mount -t tmpfs tmpfs /home/codebot/data");
    const first = machine.setup(["remove", "--all", "--yes", "--home", "delete"]);
    assert.equal(first.status, 1);
    assert.match(first.stderr, /a step has failed, "delete \/home\/codebot"/);
    assert.match(first.stderr, /run the same command again to finish/);
    assert.equal(machine.run(["id", "codebot"]).status, 1);
    assert.equal(machine.run(["test", "-e", "/etc/sudoers.d/60-agentbus-codebot"]).status, 1);
    assert.equal(machine.run(["test", "-d", "/home/codebot"]).status, 0);
    machine.sh("umount /home/codebot/data");
    const second = machine.setup(["remove", "--all", "--yes", "--home", "delete"]);
    assert.equal(second.status, 0, second.stderr);
    assert.equal(machine.run(["test", "-e", "/home/codebot"]).status, 1);
    assert.match(machine.setup(["remove", "--all", "--yes"]).stderr, /nothing to remove/);
  });

  test("a home is archived for root alone, with everything that was in it, and no link in it is followed", async (context) => {
    const machine = await prepared(context);
    assert.equal(apply(machine).status, 0);
    machine.sh("su codebot -c 'echo work > ~/work; ln -s /etc/shadow ~/shadow; mkfifo ~/fifo; ln -s / ~/root'");
    assert.equal(machine.setup(["remove", "codebot", "--yes"]).status, 0);
    const archive = machine.sh("ls /var/lib/agentbus/homes/codebot-*.tar.gz").trim();
    assert.equal(machine.sh(`stat -c '%a %U' /var/lib/agentbus/homes ${archive}`), "700 root\n600 root\n");
    assert.equal(machine.sh(`tar -xzOf ${archive} codebot/work`), "work\n");
    assert.match(machine.sh(`tar -tvzf ${archive}`), /^l.* codebot\/shadow -> \/etc\/shadow$/m);
  });

  test("a home that cannot be packed is not deleted, and the next removal packs it", async (context) => {
    const machine = await prepared(context);
    assert.equal(apply(machine).status, 0);
    // As on a disk that is full: an agent may fill it, and must not lose its home, nor get rid of what is in it, by that.
    machine.sh(`su codebot -c 'echo work > ~/work; head -c 1M /dev/urandom > ~/much'
      mkdir /var/lib/agentbus/homes && mount -t tmpfs -o size=64k tmpfs /var/lib/agentbus/homes`);
    const first = machine.setup(["remove", "codebot", "--yes"]);
    assert.equal(first.status, 1);
    assert.match(first.stderr, /a step has failed, "pack \/home\/codebot/);
    assert.equal(machine.sh("cat /home/codebot/work"), "work\n");
    machine.sh("umount /var/lib/agentbus/homes");
    const second = machine.setup(["remove", "codebot", "--yes"]);
    assert.equal(second.status, 0, second.stderr);
    assert.equal(machine.sh("tar -xzOf /var/lib/agentbus/homes/codebot-*.tar.gz codebot/work"), "work\n");
    assert.equal(machine.run(["test", "-e", "/home/codebot"]).status, 1);
  });

  test("another agent that fills a drop box as fast as it can does not keep its owner from being removed", async (context) => {
    const machine = await prepared(context);
    const agents = { codebot: { groups: ["agents"] }, reviewer: { groups: ["agents"] } };
    machine.write(FILE, JSON.stringify({ ...SETUP, agents }));
    assert.equal(apply(machine).status, 0);
    const inbox = "/var/spool/agentbus/agents/subscriptions/codebot~inbox";
    const fill = `$| = 1; chdir "${inbox}/new" or die; mkdir "own"; print "ready"; my $i = 0;
      while (1) { $i = ($i + 1) % 2000; for ("f$i", "own/f$i") { open(my $file, ">", $_); } }`;
    for (let count = 0; count < 3; count++) {
      const filler = machine.start([
        "setpriv",
        "--reuid=reviewer",
        "--regid=reviewer",
        "--init-groups",
        "perl",
        "-e",
        fill,
      ]);
      await once(filler.stdout ?? filler, "data");
    }
    const { status, stderr } = machine.setup(["remove", "codebot", "--yes", "--home", "delete"]);
    assert.equal(status, 0, stderr);
    assert.equal(machine.run(["test", "-e", inbox]).status, 1);
  });

  test("a file of nothing but a hole keeps nobody busy, and what is mounted in a home is not packed with it", async (context) => {
    const machine = await prepared(context);
    assert.equal(apply(machine).status, 0);
    machine.sh(`su codebot -c 'truncate -s 2G ~/hole; mkdir ~/mnt'
      mount -t tmpfs tmpfs /home/codebot/mnt && echo > /home/codebot/mnt/other`);
    machine.setup(["remove", "codebot", "--yes"]);
    const archive = machine.sh("ls /var/lib/agentbus/homes/codebot-*.tar.gz").trim();
    // Two GiB of zeros are 2 MB when they are packed.
    assert.ok(Number(machine.sh(`stat -c %s ${archive}`)) < 100_000);
    assert.doesNotMatch(machine.sh(`tar -tzf ${archive}`), /other/);
  });

  test("a person's home that verify has closed gets its old mode back", async (context) => {
    const machine = await prepared(context);
    machine.sh("chmod 0755 /home/alice");
    const before = machine.snapshot();
    assert.equal(apply(machine).status, 0);
    machine.module(`
      import { closeHome, openHomes, readSetupFile, SystemMachine } from "/mnt/agentbus/packages/setup/dist/index.js";
      const machine = await SystemMachine.look();
      for (const home of await openHomes(readSetupFile("${FILE}"), machine)) await closeHome(machine, home);`);
    assert.equal(machine.sh("stat -c %a /home/alice").trim(), "700");
    assert.match(apply(machine).stderr, /nothing to change/);
    assert.equal(machine.setup(["remove", "--all", "--yes"]).status, 0);
    assertSame(machine.snapshot(), before, "as before");
  });

  test("a person's home that was closed, and that the person has given another mode since, keeps that, and it is said", async (context) => {
    const machine = await prepared(context);
    machine.sh("chmod 0755 /home/alice");
    assert.equal(apply(machine).status, 0);
    machine.module(`
      import { closeHome, openHomes, readSetupFile, SystemMachine } from "/mnt/agentbus/packages/setup/dist/index.js";
      const machine = await SystemMachine.look();
      for (const home of await openHomes(readSetupFile("${FILE}"), machine)) await closeHome(machine, home);`);
    machine.sh("chmod 0710 /home/alice");
    const { status, stderr } = machine.setup(["remove", "--all", "--yes"]);
    assert.equal(status, 0, stderr);
    assert.match(
      stderr,
      /the mode of \/home\/alice is 0710, which is not setup's doing: it stays, and was 0755 before/,
    );
    assert.equal(machine.sh("stat -c %a /home/alice").trim(), "710");
  });

  test("a spool that was there before setup stays, also when setup has put it right", async (context) => {
    const machine = await prepared(context);
    machine.sh(`groupadd agents && ${process.execPath} ${machine.agentbus} init --group agents 2>/dev/null`);
    machine.sh("chmod 2770 /var/spool/agentbus/agents/subscriptions");
    const adopted = apply(machine, "--adopt", "agents");
    assert.equal(adopted.status, 0, adopted.stderr);
    assert.equal(machine.sh("stat -c %a /var/spool/agentbus/agents/subscriptions").trim(), "3770");
    const { status, stderr } = machine.setup(["remove", "--all", "--yes"]);
    assert.equal(status, 0, stderr);
    assert.equal(machine.run(["test", "-f", "/var/spool/agentbus/agents/spool.json"]).status, 0);
    assert.equal(machine.run(["getent", "group", "agents"]).status, 0);
  });
});
