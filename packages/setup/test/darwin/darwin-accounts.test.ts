import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { darwinAccounts } from "#setup/darwin/darwin-accounts.js";
import type { Change } from "#setup/plan/change.js";
import { perform as performStep } from "#setup/apply/perform.js";
import { Ledger } from "#setup/ledger.js";
import type { RunResult } from "#setup/machine.js";
import { PretendedMac } from "../support/pretended-mac.js";

const GROUP = { name: "codebot", gid: 600, agent: "codebot" };
const ACCOUNT = { name: "codebot", uid: 600, home: "/Users/codebot", homeMode: 0o700, shell: "/bin/zsh" };
const MEMBERSHIP = { user: "codebot", group: "agents", isHuman: false };

/** All that is still to be done for the agent, in order. */
async function planned(mac: PretendedMac): Promise<Change[]> {
  return [
    ...(await darwinAccounts.makeGroup(mac, { name: "agents", gid: 601 })),
    ...(await darwinAccounts.makeGroup(mac, GROUP)),
    ...(await darwinAccounts.makeAccount(mac, ACCOUNT)),
    ...(await darwinAccounts.addMember(mac, MEMBERSHIP)),
  ];
}

/** As apply does it: a command as often as it may be tried, then what the directory says. @returns the step that failed */
async function perform(mac: PretendedMac, changes: readonly Change[], atMost = Infinity): Promise<string | undefined> {
  for (const [index, change] of changes.entries()) {
    if (index >= atMost) return undefined;
    if (change.action.kind !== "run") continue;
    const { argv, retries = 0 } = change.action;
    let status = -1;
    for (let attempt = 0; attempt <= retries && status !== 0; attempt++) ({ status } = await mac.run(argv));
    const isDone = change.believesExitCode === true ? status === 0 : await change.hasTakenEffect(mac);
    if (!isDone && change.isOptional !== true) return change.id;
  }
  return undefined;
}

/** Remembers who was no member, until it is told to forget; and for two more questions. */
class CachingMac extends PretendedMac {
  override readonly access = "root" as unknown as "pretended";
  #stale = 2;
  #isCached = false;

  override run(argv: readonly string[]): Promise<RunResult> {
    if (argv[1] === "flushcache") this.#isCached = false;
    if (argv[1] !== "checkmembership") return super.run(argv);
    if (this.#isCached || (this.ran.some((each) => each.includes(" -a codebot ")) && this.#stale-- > 0)) {
      this.#isCached = true;
      return Promise.resolve({ status: 0, stdout: "user is not a member of the group\n", stderr: "" });
    }
    return super.run(argv);
  }
}

describe("an account of macOS", () => {
  test("is made by these commands, in this order, and a second plan has nothing to do", async () => {
    const mac = new PretendedMac();
    assert.equal(await perform(mac, await planned(mac)), undefined);
    assert.deepEqual(mac.ran, [
      "dseditgroup -q -o create -i 601 -r agentbus: spool of agents agents",
      "dseditgroup -q -o create -i 600 -r agentbus: codebot codebot",
      "dscl . -change /Users/nobody NFSHomeDirectory /var/empty /var/empty",
      "dscl . -create /Users/codebot",
      "dscl . -create /Users/codebot Password *",
      "dscl . -create /Users/codebot IsHidden 1",
      "dscl . -create /Users/codebot RealName agentbus: codebot",
      "dscl . -create /Users/codebot UserShell /bin/zsh",
      "dscl . -create /Users/codebot NFSHomeDirectory /Users/codebot",
      "dscl . -create /Users/codebot PrimaryGroupID 600",
      "dscl . -create /Users/codebot UniqueID 600",
      "dsmemberutil flushcache",
      "createhomedir -c -u codebot",
      "dseditgroup -o edit -a codebot -t user agents",
    ]);
    assert.deepEqual(
      (await planned(mac)).map(({ id }) => id),
      [],
    );
  });

  test("stopped after any step is finished by the next run, with the same end", async () => {
    const whole = new PretendedMac();
    const steps = await planned(whole);
    await perform(whole, steps);
    for (let stop = 0; stop < steps.length; stop++) {
      const mac = new PretendedMac();
      await perform(mac, await planned(mac), stop);
      assert.equal(await perform(mac, await planned(mac)), undefined);
      assert.deepEqual(await mac.users(), await whole.users(), `stopped before step ${stop}`);
      assert.deepEqual(await mac.groups(), await whole.groups(), `stopped before step ${stop}`);
      assert.deepEqual(
        (await planned(mac)).map(({ id }) => id),
        [],
      );
    }
  });

  test("is made although the directory service fails now and then, and not believed where it fails for good", async () => {
    const moody = new PretendedMac();
    moody.failures = 4;
    assert.equal(await perform(moody, await planned(moody)), undefined);

    const broken = new PretendedMac();
    broken.failures = Infinity;
    assert.equal(await perform(broken, await planned(broken)), "agents/group");
  });

  test("is made although macOS kills dscl for IsHidden, which only matters for looks", async () => {
    const mac = new PretendedMac();
    mac.killedFor.add("IsHidden");
    assert.equal(await perform(mac, await planned(mac)), undefined);
    assert.equal(mac.attribute("codebot", "UniqueID"), "600");
  });

  test("is not begun where privacy protection would stop it halfway, and the step says where to allow it", async () => {
    const mac = new PretendedMac();
    mac.isProtected = true;
    const changes = await planned(mac);
    assert.equal(await perform(mac, changes), "codebot/may-change-accounts");
    assert.equal(mac.attribute("codebot", "Password"), undefined);
    assert.match(String(changes.find(({ id }) => id === "codebot/may-change-accounts")?.remarks), /Full Disk Access/);
  });

  test("is a member as soon as the system's cache, which still says that it is none, has learnt of it", async () => {
    const mac = new CachingMac();
    await perform(mac, [
      ...(await darwinAccounts.makeGroup(mac, GROUP)),
      ...(await darwinAccounts.makeAccount(mac, ACCOUNT)),
    ]);
    const group = { name: "agents", gid: 601 };
    await perform(mac, await darwinAccounts.makeGroup(mac, group));
    const [joining] = await darwinAccounts.addMember(mac, MEMBERSHIP);
    assert.ok(joining !== undefined);
    const { origin: _, ...change } = joining;
    await performStep(change, { machine: mac, ledger: Ledger.read(mac), agentbus: [] });
    assert.deepEqual(await darwinAccounts.addMember(mac, MEMBERSHIP), []);
  });

  test("that is in staff is taken out of it, for the homes of people are readable for that", async () => {
    const mac = new PretendedMac();
    await perform(mac, await planned(mac));
    await mac.run(["dseditgroup", "-o", "edit", "-a", "codebot", "-t", "user", "staff"]);
    const changes = await planned(mac);
    assert.deepEqual(
      changes.map(({ id }) => id),
      ["codebot/not-staff"],
    );
    assert.equal(await perform(mac, changes), undefined);
    assert.deepEqual(await planned(mac), []);
  });

  test("never has a moment in which it can be used without a password", async () => {
    const mac = new PretendedMac();
    const ids = (await planned(mac)).map(({ id }) => id);
    assert.ok(ids.indexOf("codebot/Password") === ids.indexOf("codebot/account") + 1);
    assert.ok(
      ids.indexOf("codebot/UniqueID") > ids.indexOf("codebot/PrimaryGroupID"),
      "it never is a member of staff by default",
    );
  });

  test("is removed out of its groups first, without its home, and stopped anywhere is finished by the next run", async () => {
    const removal = async (mac: PretendedMac) => [
      ...(await darwinAccounts.removeAccount(mac, { name: "codebot", uid: 600 })),
      ...(await darwinAccounts.removeGroup(mac, { name: "codebot", gid: 600 })),
      ...(await darwinAccounts.removeGroup(mac, { name: "agents", gid: 601 })),
    ];
    const untouched = new PretendedMac();
    for (let stop = 0; stop <= 5; stop++) {
      const mac = new PretendedMac();
      await perform(mac, await planned(mac));
      mac.ran.length = 0;
      await perform(mac, await removal(mac), stop);
      assert.equal(await perform(mac, await removal(mac)), undefined);
      assert.deepEqual(await mac.users(), await untouched.users());
      assert.deepEqual(await mac.groups(), await untouched.groups());
      assert.deepEqual(await removal(mac), []);
      assert.ok(mac.ran.every((command) => !command.includes("sysadminctl")));
      assert.ok(mac.homes.has("/Users/codebot"), "what becomes of the home is decided elsewhere");
    }
  });

  test("that has another uid than the one that was made is not removed", async () => {
    const mac = new PretendedMac();
    await perform(mac, await planned(mac));
    assert.deepEqual(await darwinAccounts.removeAccount(mac, { name: "codebot", uid: 999 }), []);
    assert.deepEqual(await darwinAccounts.removeGroup(mac, { name: "codebot", gid: 999 }), []);
  });
});
