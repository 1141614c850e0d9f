import assert from "node:assert/strict";
import fs from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Accounts } from "#core/accounts.js";
import { createSpool } from "#core/create-spool.js";
import type { BusError } from "#core/errors.js";
import { nodeFileSystem } from "#core/file-system.js";
import { findSpool } from "#core/find-spool.js";
import { locateSpool, type SpoolChoice } from "#core/spool-location.js";
import type { SpoolFacts } from "#core/spool.js";
import { refusalOf } from "./support/refusal.js";
import { NEEDS_ROOT, runAs, runHere, ThrowawayAccounts } from "./support/throwaway-accounts.js";

const services = { fileSystem: nodeFileSystem, accounts: new Accounts() };
const DIST = new URL("../../dist/", import.meta.url).href;

let dir: string;
/** No spool of a group is here. */
let env: NodeJS.ProcessEnv;

before(() => {
  dir = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "agentbus-location-")));
  fs.chmodSync(dir, 0o755);
  env = { HOME: join(dir, "home"), AGENTBUS_ROOT: join(dir, "no-root") };
  fs.mkdirSync(join(dir, "home"));
});
after(() => fs.rmSync(dir, { recursive: true }));

describe("which spool", () => {
  test("an option comes before the environment", async () => {
    const full = { ...env, AGENTBUS_SPOOL: "/from/env", AGENTBUS_GROUP: "fromenv", AGENTBUS_ROOT: "/root" };
    assert.equal(await pathOf({ spool: "/from/option" }, full), "/from/option");
    assert.equal(await pathOf({ group: "agents" }, full), "/root/agents");
  });

  test("AGENTBUS_SPOOL comes before AGENTBUS_GROUP, and that before the personal spool", async () => {
    assert.equal(await pathOf({}, { ...env, AGENTBUS_SPOOL: "/a/b", AGENTBUS_GROUP: "agents" }), "/a/b");
    assert.equal(await pathOf({}, { ...env, AGENTBUS_GROUP: "agents" }), join(dir, "no-root/agents"));
    assert.equal(await pathOf({}, { AGENTBUS_GROUP: "agents" }), "/var/spool/agentbus/agents");
    assert.equal(await pathOf({}, env), join(dir, "home/.local/state/agentbus/personal"));
  });

  test("an empty variable is none", async () => {
    const empty = { ...env, AGENTBUS_SPOOL: "", AGENTBUS_GROUP: "", XDG_STATE_HOME: "" };
    assert.equal(await pathOf({}, empty), join(dir, "home/.local/state/agentbus/personal"));
  });

  test("XDG_STATE_HOME moves the personal spool, unless it is relative; without HOME the account's own counts", async () => {
    assert.equal(await pathOf({}, { ...env, XDG_STATE_HOME: "/state" }), "/state/agentbus/personal");
    assert.equal(
      await pathOf({}, { ...env, XDG_STATE_HOME: "state" }),
      join(dir, "home/.local/state/agentbus/personal"),
    );
    const home = userInfo().homedir;
    assert.equal(await pathOf({}, { AGENTBUS_ROOT: "/nowhere" }), join(home, ".local/state/agentbus/personal"));
  });

  test("a relative option starts here, a relative variable is refused with what to write instead", async () => {
    assert.equal(await pathOf({ spool: "./bus/" }, env), join(process.cwd(), "bus"));
    for (const name of ["AGENTBUS_SPOOL", "AGENTBUS_ROOT"]) {
      const error = await refusal({}, { ...env, [name]: "bus" });
      assert.equal(error.code, "ERR_SPOOL_NOT_FOUND");
      assert.equal(error.message, `cannot use ${name}=bus: it is not an absolute path`);
      assert.equal(error.fix, `export ${name}=${join(process.cwd(), "bus")}`);
    }
    const tilde = await refusal({}, { ...env, AGENTBUS_SPOOL: "~/my bus" });
    assert.equal(tilde.fix, `export AGENTBUS_SPOOL='${join(dir, "home/my bus")}'`);
  });

  test("what cannot be a path or a group is refused before anything is looked at", async () => {
    await assert.rejects(locateSpool({ spool: "/a", group: "b" }, env, services), TypeError);
    await assert.rejects(locateSpool({ spool: "" }, env, services), TypeError);
    await assert.rejects(locateSpool({ spool: "a\0b" }, env, services), TypeError);
    for (const group of ["", "..", "a/b", "-x"]) {
      await assert.rejects(locateSpool({ group }, env, services), TypeError, group);
    }
    const error = await refusal({}, { ...env, AGENTBUS_GROUP: "../etc" });
    assert.equal(error.code, "ERR_SPOOL_NOT_FOUND");
  });

  test("Windows is refused with a way out", async () => {
    await assert.rejects(locateSpool({}, env, { ...services, platform: "win32" }), (error: BusError) => {
      assert.equal(error.code, "ERR_PLATFORM");
      assert.match(error.fix ?? "", /WSL/);
      return true;
    });
  });
});

describe("which spool, among those of groups", { skip: NEEDS_ROOT }, () => {
  let first: ThrowawayAccounts;
  let second: ThrowawayAccounts;
  let root: string;

  before(async () => {
    root = join(dir, "root");
    first = new ThrowawayAccounts(1, 1);
    second = new ThrowawayAccounts(0, 0);
    await createSpool({ group: first.group, env: { AGENTBUS_ROOT: root } });
    await createSpool({ group: second.group, env: { AGENTBUS_ROOT: root } });
    fs.mkdirSync(join(root, "nospool"));
    fs.symlinkSync(join(root, first.group), join(root, "link"));
  });
  after(() => {
    first.remove();
    second.remove();
  });

  test("a member gets the only one that it may use, whatever else is there", async () => {
    assert.equal(await locatedBy(first.member(0)), join(root, first.group));
  });

  test("who is in no group gets its own", async () => {
    assert.equal(await locatedBy(first.outsiders[0] ?? ""), "/nonexistent/.local/state/agentbus/personal");
  });

  test("several are an error that lists them and says how to choose", async () => {
    const error = await refusal({}, { ...env, AGENTBUS_ROOT: root });
    const [one = "", two = ""] = [first.group, second.group].sort();
    assert.equal(error.code, "ERR_SPOOL_AMBIGUOUS");
    assert.match(error.message, new RegExp(`${join(root, one)} and ${join(root, two)}`));
    assert.equal(error.fix, `choose one: export AGENTBUS_GROUP=${one} (or ${two}), or the option --group`);
    assert.deepEqual(error.details, { paths: [join(root, one), join(root, two)], groups: [one, two] });
  });

  test("a member whose process began before it was one is told to log in again, and gets no personal spool", async () => {
    const message = await locatedBy(first.member(0), "process.setgroups([]);");
    assert.match(message, /ERR_ACCESS .* is in group \S+, but .* log out and in again, or for one command: sg /s);
  });

  test("who names the spool of another group is told how to join it", async () => {
    const outsider = first.outsiders[0] ?? "";
    const message = await foundBy(outsider, join(root, first.group));
    assert.match(message, new RegExp(`ERR_ACCESS cannot use the spool .*: ${outsider} is not in group ${first.group}`));
    assert.match(message, new RegExp(`sudo usermod -aG ${first.group} ${outsider}, then log in again`));
  });

  function locatedBy(user: string, preparation = ""): Promise<string> {
    const call = `locateSpool({}, ${JSON.stringify({ AGENTBUS_ROOT: root, HOME: "/nonexistent" })}, services)`;
    return runAs(user, printing(`(await ${call}).path`), preparation);
  }

  function foundBy(user: string, spool: string): Promise<string> {
    return runAs(user, printing(`(await findSpool({ spool: ${JSON.stringify(spool)} }, {}, services)).path`));
  }
});

describe("a spool is believed", () => {
  test("when it was made for this account, on first use, by several processes at once", async () => {
    const fresh = { ...env, XDG_STATE_HOME: join(dir, "fresh") };
    const find = printing(`JSON.stringify(await findSpool({}, ${JSON.stringify(fresh)}, services))`);
    const found = (await Promise.all(Array.from({ length: 6 }, () => runHere(find)))).map(
      (text) => JSON.parse(text) as SpoolFacts,
    );
    assert.equal(found[0]?.kind, "personal");
    assert.deepEqual(found[0]?.limits, { maxEnvelopeBytes: 4_194_304, maxHops: 16, maxBacklog: 100_000 });
    assert.deepEqual(
      fs.readdirSync(found[0]?.path ?? "").filter((name) => name.startsWith(".")),
      [],
    );
  });

  test("not when there is none, and the error says what would make one", async () => {
    const absent = await disbelief({ spool: join(dir, "absent") });
    assert.equal(absent.code, "ERR_SPOOL_NOT_FOUND");
    assert.equal(absent.fix, `agentbus init --spool ${join(dir, "absent")}`);
    const group = await disbelief({ group: "agents" });
    assert.equal(group.code, "ERR_SPOOL_NOT_FOUND");
    assert.match(group.fix ?? "", /AGENTBUS_ROOT=\S+ agentbus init --group agents$/);
    fs.mkdirSync(join(dir, "empty"));
    assert.match((await disbelief({ spool: join(dir, "empty") })).message, /it has no spool.json$/);
    fs.writeFileSync(join(dir, "file"), "");
    assert.match((await disbelief({ spool: join(dir, "file") })).message, /not a directory$/);
  });

  test("not through a symbolic link in its last component", async () => {
    const { path } = await createSpool({ spool: join(dir, "real"), env });
    fs.symlinkSync(path, join(dir, "alias"));
    const error = await disbelief({ spool: join(dir, "alias") });
    assert.equal(error.code, "ERR_SPOOL_UNTRUSTED");
    assert.match(error.message, /symbolic link/);
  });

  test("not when others may write to it", async () => {
    const { path } = await createSpool({ spool: join(dir, "open"), env });
    fs.chmodSync(path, 0o770);
    assert.equal((await disbelief({ spool: path })).code, "ERR_SPOOL_UNTRUSTED");
    fs.chmodSync(path, 0o700);
    fs.chmodSync(join(path, "spool.json"), 0o666);
    const error = await disbelief({ spool: path });
    assert.equal(error.code, "ERR_SPOOL_UNTRUSTED");
    assert.equal(error.fix, `chmod go-w ${join(path, "spool.json")}`);
  });

  test("not when its layout is another one, or its spool.json is none", async () => {
    const { path } = await createSpool({ spool: join(dir, "layout"), env });
    const contents: [string, RegExp][] = [
      ['{"layout":2,"kind":"personal"}', /its layout is version 2, and this agentbus knows version 1$/],
      ["{", /it is not JSON$/],
      ["null", /must be object$/],
      ['{"layout":1,"kind":"group","createdAt":"2026-01-01T00:00:00Z"}', /must have required property 'group'$/],
      ["x".repeat(70_000), /at most 65536$/],
    ];
    for (const [content, message] of contents) {
      fs.writeFileSync(join(path, "spool.json"), content);
      const error = await disbelief({ spool: path });
      assert.equal(error.code, "ERR_SPOOL_LAYOUT", content.slice(0, 50));
      assert.match(error.message, message);
    }
    fs.unlinkSync(join(path, "spool.json"));
    fs.symlinkSync("/etc/passwd", join(path, "spool.json"));
    assert.match((await disbelief({ spool: path })).message, /it is a symbolic link$/);
  });

  test("not when another account owns it, or its spool.json", { skip: NEEDS_ROOT }, async () => {
    const { path } = await createSpool({ spool: join(dir, "owned"), env });
    for (const owned of [join(path, "spool.json"), path]) {
      fs.chownSync(owned, 12_345, 12_345);
      const error = await disbelief({ spool: path });
      assert.equal(error.code, "ERR_SPOOL_UNTRUSTED");
      assert.match(error.message, new RegExp(`${owned}: it belongs to uid12345, neither to root nor to`));
    }
  });
});

async function pathOf(choice: SpoolChoice, environment: NodeJS.ProcessEnv): Promise<string> {
  return (await locateSpool(choice, environment, services)).path;
}

function refusal(choice: SpoolChoice, environment: NodeJS.ProcessEnv): Promise<BusError> {
  return refusalOf(locateSpool(choice, environment, services));
}

function disbelief(choice: SpoolChoice): Promise<BusError> {
  return refusalOf(findSpool(choice, env, services));
}

/** A module that prints a value, or the error in its place. */
function printing(value: string): string {
  return `
    import { Accounts } from "${DIST}accounts.js";
    import { nodeFileSystem } from "${DIST}file-system.js";
    import { locateSpool } from "${DIST}spool-location.js";
    import { findSpool } from "${DIST}find-spool.js";
    const services = { fileSystem: nodeFileSystem, accounts: new Accounts() };
    try { process.stdout.write(${value}); }
    catch (error) { process.stdout.write([error.code, error.message, error.fix].join(" ")); }`;
}
