import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Accounts } from "#core/accounts.js";
import { createSpool } from "#core/create-spool.js";
import { octal, PATHS, ruleForDirectory, type PathRule } from "#core/permissions.js";
import { rightsBeyond, rightsOf } from "#core/rights.js";
import { NEEDS_ROOT, runAs, ThrowawayAccounts } from "./support/throwaway-accounts.js";

interface PermissionsDoc {
  readonly PRINCIPALS: readonly string[];
  mayDo(rule: PathRule, who: string): string[];
  samplePath(path: string): string;
  render(): Promise<string>;
}

const ROOT = new URL("../../../../", import.meta.url);
const page = (await import(new URL("scripts/permissions-doc.mjs", ROOT).href)) as PermissionsDoc;

describe("the table of paths", () => {
  test("names each path once, after the directory that it is in", () => {
    const seen = new Set(["./"]);
    for (const { path } of PATHS.slice(1)) {
      assert.ok(!seen.has(path), path);
      const parent = path.replace(/[^/]+\/?$/, "") || "./";
      assert.ok(seen.has(parent) || ruleForDirectory(page.samplePath(parent)) !== undefined, path);
      seen.add(path);
    }
  });

  test("finds the rule of a directory by its real name, an exception before the rule", () => {
    for (const rule of PATHS.filter(({ type }) => type === "directory")) {
      assert.equal(ruleForDirectory(page.samplePath(rule.path)), rule, rule.path);
    }
    const modeOf = (path: string) => octal(ruleForDirectory(path)?.mode ?? 0);
    assert.equal(modeOf("subscriptions/alice~inbox/new/"), "3730");
    assert.equal(modeOf("subscriptions/alice~reply-k3jx/new/"), "3730");
    assert.equal(modeOf("subscriptions/alice~ci/new/"), "3770");
    for (const path of ["subscriptions/alice/", "subscriptions/~ci/", "elsewhere/", "outbox/a/b/", "queues/a~b/", ""]) {
      assert.equal(ruleForDirectory(path), undefined, path);
    }
  });

  test("gives outsiders nothing at all", () => {
    for (const rule of PATHS) assert.deepEqual(rightsOf(rule.type, rule.mode, "outsider"), [], rule.path);
  });

  test("lets no member change what another owns, except in a queue", () => {
    for (const rule of PATHS.filter(({ path, type }) => !path.startsWith("queues/<name>/") && type !== "socket")) {
      const rights = rightsOf(rule.type, rule.mode, "member");
      assert.ok(!rights.includes("remove all") && !rights.includes("write"), rule.path);
    }
  });

  test("says what a mode that drifted means", () => {
    assert.deepEqual(
      [...rightsBeyond("directory", 0o2777, 0o3770)],
      [
        ["member", ["remove all"]],
        ["outsider", ["list", "enter", "add", "remove all"]],
      ],
    );
    assert.deepEqual(
      [...rightsBeyond("directory", 0o3770, 0o2700)],
      [["member", ["list", "enter", "add", "remove own"]]],
    );
    assert.deepEqual([...rightsBeyond("file", 0o600, 0o640)], []);
  });

  test("docs/permissions.md is what it generates (node scripts/permissions-doc.mjs)", async () => {
    assert.equal(fs.readFileSync(new URL("docs/permissions.md", ROOT), "utf8"), await page.render());
  });
});

describe("the kernel agrees with docs/permissions.md", { skip: NEEDS_ROOT }, () => {
  let accounts: ThrowawayAccounts;
  let base: string;
  let spool: string;
  /** Sockets are made by listening, which the sample cannot; the one of "./" is the spool itself. */
  const rules = PATHS.filter(({ type }) => type !== "socket");

  before(async () => {
    accounts = new ThrowawayAccounts(3, 1);
    base = fs.mkdtempSync(join(tmpdir(), "agentbus-permissions-"));
    fs.chmodSync(base, 0o755);
    ({ path: spool } = await createSpool({ group: accounts.group, spool: join(base, "spool") }));
    makeSamples();
  });
  after(() => {
    accounts.remove();
    fs.rmSync(base, { recursive: true });
  });

  for (const [index, who] of page.PRINCIPALS.entries()) {
    test(`about what ${who} may do`, async () => {
      const user = accountOf(who);
      const probed = JSON.parse(await runAs(user, probeModule(user))) as string[][];
      for (const [nth, rule] of rules.entries()) {
        const expected = page.mayDo(rule, who).map((right) => right.replace(/ if it knows the name$/, ""));
        assert.deepEqual(probed[nth], expected, `${index} ${rule.path}`);
      }
    });
  }

  function accountOf(who: string): string {
    if (who === "outsider") return accounts.outsiders[0] ?? "";
    return accounts.member(["<user>", "sender", "member"].indexOf(who));
  }

  /** Something at every path of the table, with the table's owner, group and mode, and something of root's in every directory. */
  function makeSamples(): void {
    const ids = new Accounts();
    const gid = ids.groupIdOf(accounts.group) ?? -1;
    for (const rule of rules) {
      const path = join(spool, page.samplePath(rule.path)).replace(/\/$/, "");
      if (!fs.existsSync(path)) {
        fs.mkdirSync(join(path, ".."), { recursive: true });
        if (rule.type === "directory") fs.mkdirSync(path);
        else if (rule.type === "fifo") execFileSync("mkfifo", [path]);
        else fs.writeFileSync(path, "");
      }
      if (rule.type === "directory") fs.writeFileSync(join(path, ".roots"), "");
    }
    for (const rule of rules) {
      const path = join(spool, page.samplePath(rule.path)).replace(/\/$/, "");
      fs.chownSync(path, rule.owner === "root" ? 0 : (ids.uidOf(accountOf(rule.owner)) ?? -1), gid);
      fs.chmodSync(path, rule.mode);
    }
  }

  function probeModule(user: string): string {
    const samples = rules.map(({ path, type }) => [join(spool, page.samplePath(path)).replace(/\/$/, ""), type]);
    return `
      import fs from "node:fs";
      const can = (action) => { try { action(); return true; } catch (error) { return error.code === "ENXIO"; } };
      const opens = (path, flags) => can(() => fs.closeSync(fs.openSync(path, flags | fs.constants.O_NONBLOCK)));
      const probeDirectory = (path) => {
        const [mine, roots] = [path + "/.of-${user}", path + "/.roots"];
        const rights = [];
        if (can(() => fs.readdirSync(path))) rights.push("list");
        if (can(() => fs.lstatSync(roots))) rights.push("enter");
        if (can(() => fs.writeFileSync(mine, "", { flag: "wx" }))) rights.push("add");
        const all = can(() => { fs.renameSync(roots, roots + "2"); fs.renameSync(roots + "2", roots); });
        if (can(() => fs.unlinkSync(mine))) rights.push(all ? "remove all" : "remove own");
        return rights;
      };
      const probeFile = (path) => [
        ...(opens(path, fs.constants.O_RDONLY) ? ["read"] : []),
        ...(opens(path, fs.constants.O_WRONLY) ? ["write"] : []),
      ];
      const samples = ${JSON.stringify(samples)};
      console.log(JSON.stringify(samples.map(([path, type]) => type === "directory" ? probeDirectory(path) : probeFile(path))));`;
  }
});
