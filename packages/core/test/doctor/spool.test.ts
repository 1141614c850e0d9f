import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { Accounts } from "#core/accounts.js";
import { openBus } from "#core/open-bus.js";
import { createSpool } from "#core/create-spool.js";
import { diagnose } from "#core/doctor/diagnose.js";
import type { Finding } from "#core/doctor/finding.js";
import { NEEDS_ROOT, runAs, ThrowawayAccounts } from "../support/throwaway-accounts.js";

const DIST = new URL("../../../dist/", import.meta.url).href;
const me = new Accounts().currentUser().user;

let base: string;
let path: string;

before(() => {
  base = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "agentbus-doctor-")));
  fs.chmodSync(base, 0o755);
});
after(() => fs.rmSync(base, { recursive: true }));

describe("the doctor, about a personal spool", () => {
  beforeEach(async () => {
    ({ path } = await createSpool({ spool: fs.mkdtempSync(join(base, "own-")) }));
    await (await openBus({ spool: path })).close();
  });

  test("finds nothing wrong with one in use", async () => {
    await using bus = await openBus({ spool: path });
    await bus.subscribe("build.**", { durable: "ci" });
    await bus.subscribe("build.**");
    await bus.subscribe("build.**", { queue: "work" });
    await bus.publish("build.done", { n: 1 });
    // As who has served a socket leaves it.
    fs.writeFileSync(join(path, `run/${me}/sockets.lock`), "", { mode: 0o600 });
    assert.deepEqual(await found(), []);
  });

  test("every directory with another mode is found, and the fix mends it", async () => {
    const dirs = ["subscriptions", `subscriptions/${me}~inbox/new`, `outbox/${me}`];
    for (const dir of dirs) fs.chmodSync(join(path, dir), 0o755);
    const findings = await found();
    assert.deepEqual(sorted(findings.map((each) => each.path)), sorted(dirs.map((dir) => join(path, dir))));
    for (const { check, severity, message } of findings) {
      assert.deepEqual([check, severity], ["modes", "error"]);
      assert.match(message, /has mode 0755 instead of 0700: every member of its group may list, enter; everybody may/);
    }
    await createSpool({ spool: path });
    for (const { fix = "" } of await found()) execFileSync("sh", ["-c", fix]);
    assert.deepEqual(await found(), []);
  });

  test("a part that is missing is found, and the fix makes it", async () => {
    fs.rmdirSync(join(path, `subscriptions/${me}~inbox/cur`));
    fs.rmdirSync(join(path, "pipes"));
    const findings = await found();
    assert.deepEqual(findings.map(({ message }) => message).sort(), [
      `${join(path, "pipes")} is missing`,
      `${join(path, `subscriptions/${me}~inbox/cur`)} is missing`,
    ]);
    await createSpool({ spool: path });
    for (const { fix = "" } of await found()) execFileSync("sh", ["-c", fix]);
    assert.deepEqual(await found(), []);
  });

  test("a symbolic link, a file and a FIFO in the place of a directory are named, and not followed", async () => {
    const inbox = join(path, `subscriptions/${me}~inbox`);
    fs.rmdirSync(join(inbox, "retry"));
    fs.symlinkSync("/etc", join(inbox, "retry"));
    fs.writeFileSync(join(path, `subscriptions/${me}~file`), "");
    execFileSync("mkfifo", [join(path, `run/${me}2`), join(path, "outbox/other")]);
    const messages = (await found()).map(({ message }) => message).join("\n");
    assert.match(messages, new RegExp(`${inbox}/retry is a symbolic link`));
    assert.match(messages, new RegExp(`${path}/subscriptions/${me}~file is no directory`));
    assert.match(messages, new RegExp(`${path}/run/${me}2 `));
  });

  test("names that others chose are quoted in messages and fixes", async () => {
    fs.mkdirSync(join(path, "subscriptions/\x1b[31m;reboot\n'"));
    fs.mkdirSync(Buffer.concat([Buffer.from(`${path}/queues/`), Buffer.from([0xff, 0x24])]));
    const findings = await found();
    assert.equal(findings.length, 2);
    for (const { check, severity, message, fix = "" } of findings) {
      assert.deepEqual([check, severity], ["foreign", "warning"]);
      assert.match(message + fix, /^[\x20-\x7e]+$/);
      execFileSync("bash", ["-c", fix]);
    }
    assert.deepEqual(await found(), []);
  });

  test("a subscription whose record cannot be read is an error that quotes nothing of it", async () => {
    const file = join(path, `subscriptions/${me}~inbox/subscription.json`);
    for (const [content, why] of [
      ["\x1b[31m", "it is not JSON"],
      ["{}", "it must"],
      [fs.readFileSync(file, "utf8").replaceAll(me, "other"), "it says inbox other~inbox"],
    ] as const) {
      fs.writeFileSync(file, content);
      const [only, ...others] = await found();
      assert.deepEqual(others, []);
      assert.equal(only?.check, "subscriptions");
      assert.ok(only.message.includes(`receives nothing, because of its subscription.json: ${why}`), only.message);
      assert.match(only.message, /^[\x20-\x7e]+$/);
    }
    fs.unlinkSync(file);
    assert.match((await found())[0]?.message ?? "", /there is none$/);
  });

  test("a subscription that its dead process left is noticed", async () => {
    const bus = await openBus({ spool: path });
    await bus.subscribe("build.**");
    const [name = ""] = fs.readdirSync(join(path, "subscriptions")).filter((each) => each.includes("~tmp-"));
    const file = join(path, "subscriptions", name, "subscription.json");
    const record = JSON.parse(fs.readFileSync(file, "utf8")) as { consumer: { startTime: string } };
    record.consumer.startTime = "1";
    await bus.close();
    fs.mkdirSync(join(path, "subscriptions", name));
    for (const part of ["new", "cur", "retry", "dead"]) fs.mkdirSync(join(path, "subscriptions", name, part), 0o700);
    fs.chmodSync(join(path, "subscriptions", name), 0o700);
    fs.writeFileSync(file, JSON.stringify(record));
    const findings = (await diagnose({ spool: path })).filter(({ check }) => check === "leftovers");
    assert.match(findings[0]?.message ?? "", /left over from process \d+, which is gone/);
    execFileSync("sh", ["-c", findings[0]?.fix ?? ""]);
    assert.deepEqual(await found(), []);
  });

  test("dead letters are counted", async () => {
    const dead = join(path, `subscriptions/${me}~inbox/dead`);
    for (const name of ["a", "b"]) fs.writeFileSync(join(dead, `${name}.reason.json`), "{}");
    const [only, ...others] = await found();
    assert.deepEqual(others, []);
    assert.equal(only?.message, `${dead} holds 2 dead letters`);
  });

  test("a spool.json that cannot be believed is said, and the rest examined all the same", async () => {
    fs.writeFileSync(join(path, "spool.json"), "{");
    fs.chmodSync(join(path, "run"), 0o777);
    const findings = await found();
    assert.deepEqual(
      findings.map(({ check }) => check),
      ["spool", "modes"],
    );
    assert.match(findings[0]?.message ?? "", /it is not JSON/);
  });

  test("a thousand of a kind are abridged", async () => {
    for (let i = 0; i < 1000; i++) fs.writeFileSync(join(path, "outbox", `~${i}`), "");
    const findings = await diagnose({ spool: path });
    assert.equal(findings.filter(({ check }) => check === "foreign").length, 26);
    assert.ok(findings.some(({ message }) => message === "975 more findings about foreign are left out"));
  });
});

describe("the doctor, about a group's spool", { skip: NEEDS_ROOT }, () => {
  let accounts: ThrowawayAccounts;
  let alice: string;
  let mallory: string;

  before(async () => {
    accounts = new ThrowawayAccounts(2, 1);
    [alice, mallory] = [accounts.member(0), accounts.member(1)];
  });
  beforeEach(async () => {
    ({ path } = await createSpool({ group: accounts.group, spool: fs.mkdtempSync(join(base, "group-")) }));
  });
  after(() => accounts.remove());

  test("finds nothing wrong with one in use, neither as root nor as a member", async () => {
    await useBus(alice);
    assert.deepEqual(await found(), []);
    assert.deepEqual(await foundBy(mallory), []);
  });

  test("drift in the spool's own directories is mended by init, which every such finding names", async () => {
    fs.chmodSync(path, 0o2770);
    fs.chmodSync(join(path, "subscriptions"), 0o2777);
    fs.chownSync(join(path, "queues"), 12_345, 0);
    fs.chmodSync(join(path, "outbox"), 0o770);
    const findings = (await found()).filter(({ check }) => check !== "spool");
    assert.deepEqual(sorted(findings.map(({ check, message }) => `${check}: ${message.replace(path, "")}`)), [
      `groups: /queues belongs to group root, not to ${accounts.group}: what is in it cannot be read by who should`,
      "modes:  has mode 2770 instead of 2750: every member of its group may add, remove all",
      "modes: /outbox has mode 0770 instead of 3770: every member of its group may remove all; what is made in it gets the wrong group",
      "modes: /subscriptions has mode 2777 instead of 3770: every member of its group may remove all; everybody may list, enter, add, remove all",
      "owners: /queues belongs to uid12345, not to root: uid12345 may take its parts away",
    ]);
    for (const { fix } of findings) assert.equal(fix, `agentbus init --group ${accounts.group} --spool ${path}`);
    await createSpool({ group: accounts.group, spool: path });
    assert.deepEqual(await found(), []);
  });

  test("what an account owns is to be mended by that account, never by root", async () => {
    await useBus(alice);
    const inbox = join(path, `subscriptions/${alice}~inbox`);
    fs.chmodSync(join(inbox, "new"), 0o777);
    fs.chownSync(join(inbox, "dead"), fs.statSync(inbox).uid, 0);
    fs.chownSync(inbox, fs.statSync(inbox).uid, 0);
    fs.rmdirSync(join(inbox, "retry"));
    const findings = await found();
    assert.deepEqual(sorted(findings.map(({ fix }) => fix)), [
      `sudo -u ${alice} chgrp ${accounts.group} ${inbox}`,
      `sudo -u ${alice} chmod 3730 ${inbox}/new`,
      `sudo -u ${alice} mkdir -m 0700 ${inbox}/retry`,
    ]);
  });

  test("a squatted name is an error that names both, and the victim's other directories too", async () => {
    await runAs(
      mallory,
      `import fs from "node:fs";
       for (const name of ["subscriptions/${alice}~ci", "outbox/${alice}", "run/${alice}", "pipes/${alice}"])
         fs.mkdirSync("${path}/" + name);`,
    );
    const findings = await found();
    assert.equal(findings.length, 4);
    for (const { check, severity, message, fix } of findings) {
      assert.deepEqual([check, severity], ["owners", "error"]);
      assert.match(message, new RegExp(`belongs to ${mallory}, not to ${alice}: .* keeps ${alice} from using`));
      assert.match(fix ?? "", new RegExp(`^rm -r ${path}/`));
    }
    assert.equal((await foundBy(alice)).length, 4);
  });

  test("what an account without a name left is found", async () => {
    fs.mkdirSync(join(path, "subscriptions/gone~ci"));
    fs.mkdirSync(join(path, "queues/work"));
    fs.chownSync(join(path, "queues/work"), 12_345, 0);
    const messages = (await found()).filter(({ check }) => check === "accounts").map(({ message }) => message);
    assert.equal(messages.length, 2);
    assert.match(messages.join("\n"), /gone~ci is that of gone, an account that does not exist/);
    assert.match(messages.join("\n"), /work is that of uid12345, an account that does not exist/);
  });

  test("a directory planted in a drop box is its planter's to remove", async () => {
    await useBus(alice);
    const box = join(path, `subscriptions/${alice}~ci/new`);
    await runAs(mallory, `import fs from "node:fs"; fs.mkdirSync("${box}/junk/deep", { recursive: true });`);
    const [only, ...others] = await foundBy(alice);
    assert.deepEqual(others, []);
    assert.equal(only?.check, "planted");
    assert.equal(only.fix, `sudo -u ${mallory} rm -r ${box}/junk`);
  });

  test("a lock that members can fill is an error", async () => {
    await useBus(alice);
    const lock = join(path, `subscriptions/${alice}~ci/consumer.lock`);
    fs.mkdirSync(lock);
    fs.chownSync(lock, fs.statSync(join(lock, "..")).uid, fs.statSync(path).gid);
    fs.chmodSync(lock, 0o2755);
    assert.deepEqual(await found(), []);
    fs.chmodSync(lock, 0o2775);
    assert.match(
      (await found())[0]?.message ?? "",
      /consumer.lock has mode 2775 instead of 0700: .* may list, enter, add/,
    );
  });

  test("ancestors that others can change, or that members cannot pass, are found", async () => {
    const parent = join(base, "parent");
    fs.mkdirSync(parent);
    ({ path } = await createSpool({ group: accounts.group, spool: join(parent, "spool") }));
    for (const [mode, message, fix] of [
      [0o777, /has mode 0777: anybody can put another directory in the spool's place/, `chmod o-w ${parent}`],
      [0o775, /has mode 0775: any member of group root can put/, `chmod g-w ${parent}`],
      [0o750, /has mode 0750, so its members cannot get there/, `chmod o+x ${parent}`],
    ] as const) {
      fs.chmodSync(parent, mode);
      const [only, ...others] = await found();
      assert.deepEqual(others, []);
      assert.equal(only?.check, "ancestors");
      assert.match(only.message, message);
      assert.equal(only.fix, fix);
    }
    fs.chmodSync(parent, 0o755);
    fs.chownSync(parent, 12_345, 0);
    assert.match((await found())[0]?.message ?? "", /belongs to uid12345, who can put another directory/);
  });

  test("membership: outside, not yet in force, no longer, and a group that is another one", async () => {
    const outsider = accounts.outsiders[0] ?? "";
    const [outside] = await foundBy(outsider);
    assert.match(outside?.message ?? "", new RegExp(`${outsider} is not in group ${accounts.group}`));
    const [notYet] = await foundBy(alice, "process.setgroups([]);");
    assert.match(notYet?.message ?? "", /came into it after this session began/);
    assert.match(notYet?.fix ?? "", /sg abt/);
    const gid = fs.statSync(path).gid;
    const [noLonger] = await foundBy(outsider, `process.setgroups([${gid}]);`);
    assert.match(noLonger?.message ?? "", new RegExp(`this process is in group .*, but ${outsider} is not any more`));
    fs.chownSync(path, 0, 12_345);
    assert.match(
      (await found()).find(({ check }) => check === "membership")?.message ?? "",
      /but that is gid \d+, and the spool belongs to gid 12345/,
    );
  });

  test("kernel settings that protect less than they could are named, each with its command", async () => {
    const procDir = fs.mkdtempSync(join(base, "proc-"));
    fs.mkdirSync(join(procDir, "sys/fs"), { recursive: true });
    for (const name of ["regular", "fifos", "symlinks", "hardlinks"]) {
      fs.writeFileSync(join(procDir, `sys/fs/protected_${name}`), name === "fifos" ? "1\n" : "0\n");
    }
    const findings = (await diagnose({ spool: path }, { procDir })).filter(({ check }) => check === "sysctls");
    const fixes = sorted(findings.map(({ fix }) => fix?.split(" &&")[0]));
    assert.deepEqual(fixes, [
      "sysctl -w fs.protected_fifos=2",
      "sysctl -w fs.protected_hardlinks=1",
      "sysctl -w fs.protected_regular=2",
      "sysctl -w fs.protected_symlinks=1",
    ]);
    assert.match(findings.find(({ message }) => message.includes("fifos"))?.message ?? "", /1 is for directories like/);
  });

  test("a user namespace, in which nobody can be told apart, is a warning", async () => {
    const procDir = fs.mkdtempSync(join(base, "proc-"));
    fs.mkdirSync(join(procDir, "self"));
    fs.writeFileSync(join(procDir, "self/uid_map"), "      1000          0          1\n");
    const findings = await diagnose({ spool: path }, { procDir });
    assert.equal(findings.filter(({ check }) => check === "namespace").length, 1);
  });

  /** Opens the bus as an account, with a durable subscription "ci", and closes it again. */
  async function useBus(user: string): Promise<void> {
    await runAs(
      user,
      `import { openBus } from "${DIST}open-bus.js";
       const bus = await openBus({ spool: "${path}" });
       await bus.subscribe("build.**", { durable: "ci", shared: true });
       await bus.close();`,
    );
  }

  async function foundBy(user: string, preparation = ""): Promise<Finding[]> {
    const text = await runAs(
      user,
      `import { diagnose } from "${DIST}doctor/diagnose.js";
       console.log(JSON.stringify(await diagnose({ spool: "${path}" })));`,
      preparation,
    );
    return relevant(JSON.parse(text) as Finding[]);
  }
});

/** What is wrong with the spool, leaving aside this machine's settings. */
async function found(): Promise<Finding[]> {
  return relevant(await diagnose({ spool: path }));
}

function relevant(findings: readonly Finding[]): Finding[] {
  const aside = new Set(["sysctls", "inotify", "room", "mounts"]);
  return findings.filter(({ check, severity }) => severity !== "info" && !aside.has(check));
}

function sorted(texts: readonly (string | undefined)[]): string[] {
  return texts.map(String).sort();
}
