import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { adopt, GIVEN_SETUP, remove, withAccount } from "./support/adopted-account.js";
import { apply, asCodebot, FILE, prepared } from "./support/prepared-machine.js";
import { assertSame, NEEDS_NAMESPACES } from "./support/sandbox-machine.js";

describe("an account that was taken over", { skip: NEEDS_NAMESPACES }, () => {
  test("is given back as it was: shell, groups, home, and what is in it, byte for byte", async (context) => {
    const machine = await withAccount(context);
    const before = machine.snapshot();
    adopt(machine);
    assert.equal(machine.sh("id -gn codebot; getent passwd codebot | cut -d: -f7").trim(), "codebot\n/bin/bash");
    assert.equal(machine.sh("id -Gn codebot").trim(), "codebot crew");
    assert.equal(machine.sh("stat -c '%a %U:%G' /home/codebot").trim(), "700 codebot:codebot");
    const login = machine.must(["su", "-l", "codebot", "-c", "echo $MINE; git config user.name; ls -a ~"]);
    assert.match(login, /^1\nAgent\n[^]*\.zshenv/);
    assert.match(apply(machine).stderr, /nothing to change/);
    const said = remove(machine, "--all");
    assertSame(machine.snapshot(), before, "as before");
    assert.doesNotMatch(said, /not setup's doing/);
    const ledger = JSON.parse(machine.sh("cat /var/lib/agentbus/setup.json")) as object;
    assert.deepEqual(ledger, { version: 1, entries: {}, retired: [] });
  });

  test("and is removed alone is given back as well, and the rest of the group goes on", async (context) => {
    const machine = await withAccount(context);
    const ofAccount = () =>
      machine.sh(
        `getent passwd codebot; id codebot; cd /home/codebot; find . -printf '%M %u:%g %p\\n' | sort; cat .profile .gitconfig`,
      );
    const [before, whole] = [ofAccount(), machine.snapshot()];
    adopt(machine);
    remove(machine, "codebot");
    assertSame(ofAccount(), before, "as before");
    assert.match(machine.sh("id -Gn alice"), /crew/);
    assert.equal(machine.sh("ls /var/spool/agentbus/crew/subscriptions").trim(), "alice~inbox");
    remove(machine, "--all");
    assertSame(machine.snapshot(), whole, "all as before");
  });

  test("has no process left that could still use what it may not any more", async (context) => {
    const machine = await withAccount(context);
    adopt(machine);
    const child = machine.start([
      "setpriv",
      "--reuid=codebot",
      "--regid=codebot",
      "--init-groups",
      "sh",
      "-c",
      "echo ready; exec sleep 1000",
    ]);
    await once(child.stdout ?? child, "data");
    const ended = once(child, "exit");
    remove(machine, "codebot");
    await ended;
    assert.equal(machine.run(["id", "codebot"]).status, 0);
  });

  test("keeps what it has written since, and what somebody else has changed, and all of that is named", async (context) => {
    const machine = await withAccount(context);
    adopt(machine);
    machine.must(
      asCodebot(`cd; echo 'export LATER=1' >> .profile; echo 'alias l=ls' >> .bashrc; echo KEY=1 >> .config/agentbus/env
        git config --global user.name Other; echo other > .config/other`),
    );
    machine.sh(
      "usermod --shell /bin/dash codebot; usermod --gid devs codebot; chmod 0711 /home/codebot; groupdel tape",
    );
    const said = remove(machine, "--all");
    assert.equal(
      machine.sh("id -gn codebot; getent passwd codebot | cut -d: -f7; stat -c %a /home/codebot"),
      "devs\n/bin/dash\n711\n",
    );
    for (const pattern of [
      /the primary group of codebot is 41901, which is not setup's doing: it stays, and was 100 before setup/,
      /the shell of codebot is \/bin\/dash, which is not setup's doing: it stays, and was \/bin\/sh before setup/,
      /the mode of \/home\/codebot is 0711, which is not setup's doing: it stays, and was 0755 before setup/,
      /codebot was in group tape, gid 26, which is gone or another one by now/,
      /env stays: setup has made it, and codebot has written to it/,
      /git's user.name of codebot has "Other", which is not setup's doing: it stays/,
    ])
      assert.match(said, pattern);
    assert.equal(
      machine.sh("cat /home/codebot/.profile /home/codebot/.bashrc"),
      "# mine\numask 022\nexport MINE=1\nno line endexport LATER=1\nalias l=ls\n",
    );
    assert.equal(
      machine.sh("cat /home/codebot/.config/agentbus/env /home/codebot/.config/other | tail -n 2"),
      "KEY=1\nother\n",
    );
    assert.equal(machine.sh("HOME=/home/codebot git config --global --get-regexp user"), "user.name Other\n");
    // Nothing is left to be done for it: setup does not know it any more.
    assert.match(machine.setup(["remove", "codebot", "--yes"]).stderr, /setup has no such agent/);
  });

  test("keeps also what is changed while a person still looks at the plan", async (context) => {
    const machine = await withAccount(context);
    adopt(machine);
    const printed = machine.module(`
      import { execFileSync } from "node:child_process";
      import { removeSetup, SystemMachine } from "/mnt/agentbus/packages/setup/dist/index.js";
      const confirm = async () => {
        execFileSync("usermod", ["--shell", "/bin/dash", "codebot"]);
        execFileSync("chmod", ["0711", "/home/codebot"]);
        return true;
      };
      const agentbus = [process.execPath, "/mnt/agentbus/packages/cli/bin/agentbus.cjs"];
      const { notes } = await removeSetup(await SystemMachine.look(), { agents: ["codebot"], agentbus, confirm });
      console.log(notes.join("\\n"));`);
    assert.match(printed, /the shell of codebot is \/bin\/dash, which is not setup's doing/);
    assert.match(printed, /the mode of \/home\/codebot is 0711, which is not setup's doing/);
    assert.equal(machine.sh("getent passwd codebot | cut -d: -f7; stat -c %a /home/codebot"), "/bin/dash\n711\n");
  });

  test("loses nothing of its shell files on a disk that is full", async (context) => {
    const machine = await withAccount(context);
    machine.sh(`cp -a /home/codebot /tmp/kept; mount -t tmpfs -o size=64k,mode=0755,uid=41500,gid=100 tmpfs /home/codebot
      cp -a /tmp/kept/. /home/codebot; head -c 1M /dev/zero > /home/codebot/filler || chown codebot:users /home/codebot/filler`);
    const profile = machine.sh("cat /home/codebot/.profile");
    const { status, stderr } = apply(machine, "--adopt", "codebot", "--adopt", "crew");
    assert.equal(status, 1);
    assert.match(stderr, /ERR_SETUP_STEP.*No space left on device/);
    assert.equal(machine.sh("cat /home/codebot/.profile"), profile);
    machine.sh("rm /home/codebot/filler");
    assert.equal(apply(machine).status, 0);
    remove(machine, "codebot");
    assertSame(
      machine.sh("cd /home/codebot; ls -A; cat .profile"),
      machine.sh("cd /tmp/kept; ls -A; cat .profile"),
      "as before",
    );
  });

  test("and whose old group or shell is gone keeps what it has, and a word says how to choose another", async (context) => {
    const machine = await withAccount(context);
    machine.sh("cp /bin/sh /opt-shell; groupadd --gid 41902 old; usermod --shell /opt-shell --gid old codebot");
    adopt(machine);
    machine.sh("rm /opt-shell; groupdel old");
    const said = remove(machine, "--all");
    assert.match(said, /had the shell \/opt-shell, which is gone: .*: chsh -s SHELL codebot/);
    assert.match(said, /had the primary group with gid 41902, which is gone: .*: usermod --gid GROUP codebot/);
    assert.match(said, /group codebot stays: it is the primary group of codebot; .*groupdel codebot/);
    assert.equal(machine.sh("id -gn codebot; getent passwd codebot | cut -d: -f7"), "codebot\n/bin/bash\n");
  });

  test("gets back what it was before the first change, however often agentbus.json has changed since", async (context) => {
    const machine = await withAccount(context);
    const before = machine.snapshot();
    adopt(machine);
    const { codebot } = GIVEN_SETUP.agents;
    for (const change of [
      { shell: "/bin/dash", homeMode: "0750" },
      { shell: "/bin/dash", homeMode: "0750", environmentFile: "keys" },
      { shell: undefined, homeMode: "0750", groups: ["devs"] },
    ]) {
      const agents = { codebot: { ...codebot, ...change } };
      machine.write(FILE, JSON.stringify({ ...GIVEN_SETUP, groups: { crew: {}, devs: {} }, agents }));
      const { status, stderr } = apply(machine, "--adopt", "devs");
      assert.equal(status, 0, stderr);
    }
    // What the file no longer asks for, it had before; so it is with the group that it was taken out of.
    assert.equal(machine.sh("getent passwd codebot | cut -d: -f7; id -Gn codebot"), "/bin/sh\ncodebot devs\n");
    machine.sh("usermod --shell /bin/bash codebot");
    remove(machine, "--all");
    assertSame(machine.snapshot(), before, "as before");
  });

  test("gets its home's group back also when both ways were stopped right after usermod had changed that along", async (context) => {
    const machine = await withAccount(context);
    const before = machine.snapshot();
    machine.module(`
      import { applySetup, readSetupFile, removeSetup, SystemMachine } from "/mnt/agentbus/packages/setup/dist/index.js";
      const machine = await SystemMachine.look();
      const agentbus = [process.execPath, "/mnt/agentbus/packages/cli/bin/agentbus.cjs"];
      const setup = readSetupFile("${FILE}");
      const stopping = { onMoment({ change, at }) { if (change.id === "codebot/primary-group" && at === "acted") throw new Error("stopped"); } };
      const apply = (options) => applySetup(setup, machine, { adopt: ["codebot", "crew"], agentbus, ...options });
      const remove = (options) => removeSetup(machine, { agentbus, ...options });
      const isStopped = (task) => task.then(() => { throw new Error("was not stopped"); }, (error) => { if (error.message !== "stopped") throw error; });
      await isStopped(apply(stopping));
      await apply();
      await isStopped(remove(stopping));
      await remove();`);
    assertSame(machine.snapshot(), before, "as before");
  });

  test("leaves nothing in the spool of a group that it leaves, also when the removal was stopped once it had left", async (context) => {
    const machine = await withAccount(context);
    adopt(machine);
    machine.module(`
      import { removeSetup, SystemMachine } from "/mnt/agentbus/packages/setup/dist/index.js";
      const machine = await SystemMachine.look();
      const onMoment = ({ change, at }) => { if (change.id === "codebot/processes" && at === "begun") throw new Error("stopped"); };
      const stopped = await removeSetup(machine, { agents: ["codebot"], agentbus: ["false"], onMoment }).catch(({ message }) => message);
      if (stopped !== "stopped") throw new Error("was not stopped");`);
    remove(machine, "codebot");
    assert.equal(machine.sh("ls /var/spool/agentbus/crew/subscriptions").trim(), "alice~inbox");
  });

  test("has its environment file closed, and opened again only if it has written nothing to it since", async (context) => {
    for (const [isWritten, mode] of [
      [false, "644"],
      [true, "600"],
    ] as const) {
      const machine = await withAccount(context);
      machine.must(asCodebot("mkdir -p ~/.config/agentbus; umask 022; echo KEY=1 > ~/.config/agentbus/env"));
      adopt(machine);
      assert.equal(machine.sh("stat -c %a /home/codebot/.config/agentbus/env").trim(), "600");
      if (isWritten) machine.must(asCodebot("echo KEY=2 >> ~/.config/agentbus/env"));
      const said = remove(machine, "codebot");
      assert.equal(machine.sh("stat -c %a /home/codebot/.config/agentbus/env").trim(), mode);
      assert.equal(/keeps mode 0600: .* chmod 0644/.test(said), isWritten);
    }
  });

  test("has a home that setup has made taken away again, if nothing is in it", async (context) => {
    const machine = await withAccount(context);
    machine.sh("rm -r /home/codebot");
    const before = machine.snapshot();
    adopt(machine);
    remove(machine, "--all");
    assertSame(machine.snapshot(), before, "as before");
    adopt(machine);
    machine.must(asCodebot("echo work > ~/work"));
    assert.match(remove(machine, "--all"), /\/home\/codebot stays: setup has made it, and codebot has something in it/);
  });

  test("of a number that a group has can be taken over, and that group is left alone", async (context) => {
    const machine = await withAccount(context);
    machine.sh("groupadd --gid 41500 stranger");
    const before = machine.snapshot();
    adopt(machine);
    assert.notEqual(machine.sh("id -g codebot").trim(), "41500");
    remove(machine, "--all");
    assertSame(machine.snapshot(), before, "as before");
  });

  test("by an earlier version, which kept no old values, keeps what it has, and that is said", async (context) => {
    const machine = await withAccount(context);
    adopt(machine);
    // As that version wrote it.
    machine.module(`
      import fs from "node:fs";
      const path = "/var/lib/agentbus/setup.json";
      const ledger = JSON.parse(fs.readFileSync(path, "utf8"));
      for (const [key, entry] of Object.entries(ledger.entries)) {
        if (/^(?:primary-group|left|home|git|bar)[^:]*:/.test(key)) delete ledger.entries[key];
        delete entry.set; delete entry.remembers;
        if (key === "shell:codebot") delete entry.id;
      }
      fs.writeFileSync(path, JSON.stringify(ledger));`);
    // Nor does this version take what that one has made for what was there before.
    machine.sh("usermod --shell /bin/dash codebot; chmod 0711 /home/codebot");
    assert.equal(apply(machine).status, 0);
    const said = remove(machine, "--all");
    assert.match(
      said,
      /codebot was taken over by an earlier version, which kept no old values: its shell \(it was \/bin\/sh\), its primary group/,
    );
    assert.match(said, /group codebot stays: it is the primary group of codebot/);
    assert.equal(
      machine.sh("id -gn codebot; getent passwd codebot | cut -d: -f7; stat -c %a /home/codebot"),
      "codebot\n/bin/bash\n700\n",
    );
    assert.doesNotMatch(machine.sh("cat /home/codebot/.profile /home/codebot/.bashrc"), /agentbus/);
    assert.match(machine.sh("id -Gn codebot"), /^codebot\n$/);
  });
});

describe("a group that was taken over", { skip: NEEDS_NAMESPACES }, () => {
  test("stays when the account of its name goes, which useradd had made for setup", async (context) => {
    const machine = await prepared(context);
    machine.sh("groupadd --gid 41903 codebot");
    assert.equal(apply(machine, "--adopt", "codebot").status, 0);
    assert.equal(machine.sh("id -g codebot").trim(), "41903");
    remove(machine, "--all", "--home", "delete");
    assert.equal(machine.run(["id", "codebot"]).status, 1);
    assert.match(machine.sh("getent group codebot"), /^codebot:x:41903:$/m);
  });

  test("has its spool's limits, and who is barred from what, given back, unless somebody has changed them since", async (context) => {
    const machine = await withAccount(context);
    const spool = "/var/spool/agentbus/crew";
    const json = () =>
      JSON.parse(machine.sh(`cat ${spool}/spool.json`)) as { limits?: Record<string, number>; barred?: object };
    machine.sh(
      `gpasswd -a codebot crew; ${process.execPath} ${machine.agentbus} init --group crew --spool ${spool} --limit maxBacklog=700 --limit maxHops=5 --bar codebot:pipes`,
    );
    const before = json();
    const wanted = { ...GIVEN_SETUP, groups: { crew: { limits: { maxBacklog: 500, maxHops: 6 } } } };
    const agents = { codebot: { ...GIVEN_SETUP.agents.codebot, channels: { sockets: false, pipes: true } } };
    machine.write(FILE, JSON.stringify({ ...wanted, agents }));
    adopt(machine);
    assert.deepEqual(json().barred, { sockets: ["codebot"] });
    machine.sh(`${process.execPath} ${machine.agentbus} init --group crew --spool ${spool} --limit maxHops=9`);
    const said = remove(machine, "--all");
    assert.match(said, /the limit maxHops of the spool crew is 9, which is not setup's doing: it stays, and was 5/);
    const { limits, ...rest } = json();
    assert.deepEqual([limits?.maxBacklog, limits?.maxHops], [700, 9]);
    assert.deepEqual({ ...rest, limits: before.limits }, before);
  });
});
