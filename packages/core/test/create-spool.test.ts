import assert from "node:assert/strict";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { Accounts } from "#core/accounts.js";
import { createSpool, type CreateSpoolOptions } from "#core/create-spool.js";
import { nodeFileSystem } from "#core/file-system.js";
import { modeIn, octal, PATHS, type SpoolKind } from "#core/permissions.js";
import { refusalOf } from "./support/refusal.js";
import { NEEDS_ROOT, runAs, ThrowawayAccounts } from "./support/throwaway-accounts.js";

const DIST = new URL("../../dist/", import.meta.url).href;

let dir: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  dir = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "agentbus-create-")));
  fs.chmodSync(dir, 0o755);
  env = { AGENTBUS_ROOT: join(dir, "root"), XDG_STATE_HOME: join(dir, "state") };
  made.push(dir);
});
const made: string[] = [];
after(() => {
  for (const each of made) fs.rmSync(each, { recursive: true, force: true });
});

describe("a personal spool", () => {
  test("has exactly the modes of the table, whatever the umask", async () => {
    for (const umask of [0o000, 0o022, 0o077]) {
      const options = { env: { ...env, XDG_STATE_HOME: join(dir, octal(umask)) } };
      const old = process.umask(umask);
      const { path, kind, created, changes } = await createSpool(options).finally(() => process.umask(old));
      assert.deepEqual({ kind, created, changes }, { kind: "personal", created: true, changes: [] });
      assertTable(path, "personal", process.geteuid?.() ?? -1, undefined);
    }
  });

  test("is mended by making it again, which says what it put right and keeps what is in it", async () => {
    const { path } = await createSpool({ env, limits: { maxHops: 3 } });
    const record = fs.readFileSync(join(path, "spool.json"), "utf8");
    fs.mkdirSync(join(path, "subscriptions/somebody~here"));
    fs.chmodSync(path, 0o755);
    fs.chmodSync(join(path, "outbox"), 0o777);
    fs.rmdirSync(join(path, "run"));
    const again = await createSpool({ env });
    assert.equal(again.created, false);
    assert.deepEqual(again.changes, [
      `${path} had mode 0755, now 0700`,
      `${path}/outbox had mode 0777, now 0700`,
      `${path}/run was missing`,
    ]);
    assertTable(path, "personal", process.geteuid?.() ?? -1, undefined);
    assert.equal(fs.readFileSync(join(path, "spool.json"), "utf8"), record);
    assert.ok(fs.existsSync(join(path, "subscriptions/somebody~here")));
    assert.deepEqual((await createSpool({ env })).changes, []);
  });

  test("takes other limits and relays, and keeps those that nobody names", async () => {
    const { path } = await createSpool({ env, limits: { maxHops: 3 }, relays: ["bridge"] });
    const { changes } = await createSpool({ env, limits: { maxBacklog: 10 } });
    assert.deepEqual(changes, [`${path}/spool.json has new limits, relays or barred accounts`]);
    const record = JSON.parse(fs.readFileSync(join(path, "spool.json"), "utf8")) as Record<string, unknown>;
    assert.deepEqual(record["limits"], { maxEnvelopeBytes: 4_194_304, maxHops: 3, maxBacklog: 10 });
    assert.deepEqual(record["relays"], ["bridge"]);
  });

  test("makes relays of accounts that there are, and takes that back also from one that is gone", async () => {
    const { path } = await createSpool({ env, relays: ["gone"] });
    const relays = () =>
      (JSON.parse(fs.readFileSync(join(path, "spool.json"), "utf8")) as Record<string, unknown>)["relays"];
    await createSpool({ env, relay: ["root", "root"] });
    assert.deepEqual(relays(), ["gone", "root"]);
    const { code, message } = await refusalOf(createSpool({ env, relay: ["nobody-of-this-name"] }));
    assert.deepEqual([code, /cannot make a relay of nobody-of-this-name/.test(message)], ["ERR_ACCOUNT", true]);
    const { changes } = await createSpool({ env, unrelay: ["gone"] });
    assert.deepEqual(changes, [`${path}/spool.json has new limits, relays or barred accounts`]);
    assert.deepEqual(relays(), ["root"]);
    assert.deepEqual((await createSpool({ env, unrelay: ["gone"] })).changes, []);
  });

  test("refuses limits that cannot be and options that do not exist, before it makes anything", async () => {
    await assert.rejects(createSpool({ env, limits: { maxHops: 0 } }), /TypeError: limits.maxHops must be >= 1/);
    await assert.rejects(createSpool({ env, relays: ["a b"] }), TypeError);
    await assert.rejects(createSpool({ env, path: dir } as CreateSpoolOptions), /has no option "path"; it has: group/);
    assert.equal(fs.existsSync(join(dir, "state")), false);
  });

  test("is made anew where its spool.json cannot be read, once that is moved to where the error says", async () => {
    const { path } = await createSpool({ env });
    fs.writeFileSync(join(path, "spool.json"), "{");
    const { code, fix } = await refusalOf(createSpool({ env }));
    assert.equal(code, "ERR_SPOOL_LAYOUT");
    const [, from = "", to = ""] = /mv (\S+) (\S+), then agentbus init$/.exec(fix ?? "") ?? [];
    fs.renameSync(from, to);
    assert.equal((await createSpool({ env })).created, true);
    assertTable(path, "personal", process.geteuid?.() ?? -1, undefined);
  });

  test("a failure at any step is a clear error, and mended by making it again", async () => {
    for (let step = 1; ; step++) {
      const spool = join(dir, `crash-${step}`);
      let calls = 0;
      const failing = new Proxy(
        { ...nodeFileSystem },
        {
          get: (target, name: keyof typeof nodeFileSystem) =>
            name === "close" || name === "unlink"
              ? target[name]
              : (...args: unknown[]) => {
                  if (++calls === step) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
                  return (target[name] as (...args: unknown[]) => unknown)(...args);
                },
        },
      );
      const services = { fileSystem: failing, accounts: new Accounts() };
      const attempt = createSpool({ spool, env }, services);
      await attempt.catch(async () => {
        const { code, message } = await refusalOf(attempt);
        assert.equal(code, "ERR_DISK_FULL", `step ${step}: ${message}`);
      });
      await createSpool({ spool, env });
      assertTable(spool, "personal", process.geteuid?.() ?? -1, undefined);
      if (calls < step) return;
    }
  });

  test("is taken as it is when another process finishes it between two looks", async () => {
    const { path } = await createSpool({ env, limits: { maxHops: 3 } });
    let looks = 0;
    const open: typeof nodeFileSystem.open = (file, ...rest) => {
      const isTooEarly = String(file).endsWith("/spool.json") && looks++ === 0;
      if (isTooEarly) throw Object.assign(new Error("ENOENT"), { code: "ENOENT" });
      return nodeFileSystem.open(file, ...rest);
    };
    const services = { fileSystem: { ...nodeFileSystem, open }, accounts: new Accounts() };
    const again = await createSpool({ env }, services);
    assert.deepEqual(again, { path, kind: "personal", group: undefined, created: false, changes: [] });
    assert.equal(looks, 2);
  });

  test("is not made over something else", async () => {
    fs.writeFileSync(join(dir, "file"), "");
    fs.mkdirSync(join(dir, "project"));
    fs.writeFileSync(join(dir, "project/\x1b[31mred"), "");
    fs.symlinkSync(join(dir, "elsewhere"), join(dir, "link"));
    for (const [name, why] of [
      ["file", /not a directory/],
      ["link", /not a directory/],
      ["project", /holds something else: \$'\\x1b\[31mred'/],
    ] as const) {
      const error = await refusalOf(createSpool({ spool: join(dir, name), env }));
      assert.equal(error.code, "ERR_SPOOL_UNTRUSTED");
      assert.match(error.message, why);
    }
    assert.deepEqual(fs.readdirSync(join(dir, "project")).length, 1);
    assert.equal(fs.existsSync(join(dir, "elsewhere")), false);
  });

  test("is not made by root in the home of another account", { skip: NEEDS_ROOT }, async () => {
    const home = join(dir, "home");
    fs.mkdirSync(home);
    fs.chownSync(home, 12_345, 12_345);
    const error = await refusalOf(createSpool({ env: { AGENTBUS_ROOT: env["AGENTBUS_ROOT"], HOME: home } }));
    assert.equal(error.code, "ERR_SPOOL_UNTRUSTED");
    assert.match(error.message, /as root: .*home belongs to uid12345, so others could replace/);
    assert.match(error.fix ?? "", /run this as uid12345 instead of root/);
    assert.deepEqual(fs.readdirSync(home), []);
  });
});

describe("a group's spool", { skip: NEEDS_ROOT }, () => {
  let accounts: ThrowawayAccounts;
  let gid: number;
  let path: string;

  before(() => {
    accounts = new ThrowawayAccounts(1, 1);
    gid = new Accounts().groupIdOf(accounts.group) ?? -1;
  });
  beforeEach(() => (path = join(dir, "root", accounts.group)));
  after(() => accounts.remove());

  test("has exactly the owners, groups and modes of the table, whatever the umask", async () => {
    for (const umask of [0o000, 0o022, 0o077]) {
      const spool = join(dir, octal(umask), "spool");
      const old = process.umask(umask);
      const created = await createSpool({ group: accounts.group, spool, env }).finally(() => process.umask(old));
      assert.equal(created.created, true);
      assertTable(spool, "group", 0, gid);
      assert.equal(octal(fs.statSync(join(spool, "..")).mode), "0755");
    }
  });

  test("is mended by making it again, by whichever name", async () => {
    await createSpool({ group: accounts.group, env });
    fs.chownSync(join(path, "subscriptions"), 12_345, 0);
    fs.chmodSync(join(path, "queues"), 0o2777);
    fs.chownSync(path, 0, 0);
    fs.chmodSync(path, 0o777);
    const again = await createSpool({ spool: path, env });
    assert.deepEqual(again, {
      path,
      kind: "group",
      group: accounts.group,
      created: false,
      changes: [
        `${path} belonged to group root, had mode 0777, now 2750`,
        `${path}/subscriptions belonged to uid12345, belonged to group root`,
        `${path}/queues had mode 2777, now 3770`,
      ],
    });
    assertTable(path, "group", 0, gid);
    assert.deepEqual((await createSpool({ group: accounts.group, env })).changes, []);
  });

  test("is never mended through a symbolic link", async () => {
    await createSpool({ group: accounts.group, env });
    const victim = join(dir, "victim");
    fs.mkdirSync(victim, { mode: 0o700 });
    fs.rmdirSync(join(path, "run"));
    fs.symlinkSync(victim, join(path, "run"));
    const error = await refusalOf(createSpool({ group: accounts.group, env }));
    assert.equal(error.code, "ERR_SPOOL_UNTRUSTED");
    assert.equal(error.path, join(path, "run"));
    assert.equal(octal(fs.statSync(victim).mode), "0700");
    fs.unlinkSync(join(path, "run"));
    fs.renameSync(join(path, "spool.json"), join(path, "..", "spool.json"));
    fs.symlinkSync("../spool.json", join(path, "spool.json"));
    assert.equal((await refusalOf(createSpool({ group: accounts.group, env }))).code, "ERR_SPOOL_LAYOUT");
  });

  test("is never mended through a hard link that stands in the place of spool.json", async () => {
    await createSpool({ group: accounts.group, env });
    fs.linkSync(join(path, "spool.json"), join(dir, "other"));
    fs.chmodSync(join(path, "spool.json"), 0o600);
    const error = await refusalOf(createSpool({ group: accounts.group, env }));
    assert.equal(error.code, "ERR_SPOOL_UNTRUSTED");
    assert.equal(octal(fs.statSync(join(dir, "other")).mode), "0600");
  });

  test("is not made where a member could replace it", async () => {
    for (const [uid, mode, why] of [
      [12_345, 0o755, /belongs to uid12345/],
      [0, 0o777, /has mode 0777/],
    ] as const) {
      const weak = join(dir, `weak-${uid}`);
      fs.mkdirSync(weak);
      fs.chownSync(weak, uid, 0);
      fs.chmodSync(weak, mode);
      const error = await refusalOf(createSpool({ group: accounts.group, spool: join(weak, "below/spool"), env }));
      assert.equal(error.code, "ERR_SPOOL_UNTRUSTED");
      assert.match(error.message, why);
      assert.deepEqual(fs.readdirSync(weak), []);
    }
  });

  test("is not turned into another group's, or into a personal one", async () => {
    await createSpool({ group: accounts.group, env });
    const error = await refusalOf(createSpool({ group: "root", spool: path, env }));
    assert.equal(error.code, "ERR_SPOOL_LAYOUT");
    assert.match(error.message, /the spool of group root: it is the spool of group abt/);
    await createSpool({ spool: join(dir, "own"), env });
    assert.match(
      (await refusalOf(createSpool({ group: accounts.group, spool: join(dir, "own"), env }))).message,
      /it is a personal/,
    );
  });

  test("needs its group to exist, and root to make it, and says which command does", async () => {
    const noGroup = await refusalOf(createSpool({ group: "abtnone", env }));
    assert.equal(noGroup.code, "ERR_ACCOUNT");
    assert.equal(noGroup.fix, "groupadd abtnone, then for each member: usermod -aG abtnone NAME");
    const options = JSON.stringify({ group: accounts.group, env });
    const refused = await runAs(
      accounts.member(0),
      `import "${DIST}build-spool.js"; import { createSpool } from "${DIST}create-spool.js";
       await createSpool(${options}).catch((error) => console.log(error.code, error.fix));`,
    );
    assert.equal(
      refused.trim(),
      `ERR_ACCESS sudo env "PATH=$PATH" AGENTBUS_ROOT=${dir}/root agentbus init --group ${accounts.group}`,
    );
  });
});

/** Every directory and file that a new spool has is as the table says, and there is nothing else. */
function assertTable(spool: string, kind: SpoolKind, uid: number, gid: number | undefined): void {
  const rules = PATHS.filter((rule) => rule.madeBy === "init");
  const names = rules.map((rule) => rule.path.replace(/\/$/, "")).filter((name) => name !== ".");
  assert.deepEqual(fs.readdirSync(spool).sort(), names.sort());
  for (const rule of rules) {
    const stat = fs.lstatSync(join(spool, rule.path).replace(/\/$/, ""));
    assert.equal(octal(stat.mode), octal(modeIn(kind, rule)), rule.path);
    assert.equal(stat.isDirectory(), rule.type === "directory", rule.path);
    assert.equal(stat.uid, uid, rule.path);
    if (gid !== undefined) assert.equal(stat.gid, gid, rule.path);
  }
}
