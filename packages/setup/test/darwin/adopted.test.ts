import assert from "node:assert/strict";
import fs from "node:fs";
import { describe, test } from "node:test";
import type { Origin } from "#setup/ledger.js";
import { FLAVOURS } from "#setup/machine.js";
import type { Change } from "#setup/plan/change.js";
import { makePlan } from "#setup/plan/make-plan.js";
import { planText } from "#setup/plan/plan-text.js";
import { planRemoval } from "#setup/remove/plan-removal.js";
import { parseSetup } from "#setup/setup-file.js";
import { PretendedMac } from "../support/pretended-mac.js";

const GOLDEN = new URL("../../../test/darwin/golden/adopted.txt", import.meta.url);
/** `UPDATE_GOLDEN=1` writes it anew; look at the difference before you commit it. */
const isUpdate = process.env["UPDATE_GOLDEN"] === "1";

const SETUP = parseSetup(
  JSON.stringify({
    version: 1,
    groups: { agents: {} },
    agents: { codebot: { groups: ["agents"], shell: "/bin/zsh" } },
  }),
  "/etc/agentbus.json",
);
const PERSON = {
  Password: "********",
  RealName: "A person",
  UserShell: "/bin/bash",
  NFSHomeDirectory: "/Users/codebot",
  PrimaryGroupID: "20",
  UniqueID: "505",
};

/** Somebody's account, as System Settings makes it. */
function withAccount(): PretendedMac {
  const mac = new PretendedMac();
  mac.addUser("codebot", PERSON);
  mac.addGroup("staff", 20, ["root", "codebot"]);
  mac.addGroup("devs", 701, ["codebot"]);
  mac.homes.set("/Users/codebot", { uid: 505, gid: 20, mode: 0o755 });
  return mac;
}

function planned(mac: PretendedMac) {
  return makePlan(SETUP, mac, { adopt: ["codebot"] });
}

function removal(mac: PretendedMac) {
  return planRemoval(mac, ["codebot"], false, { at: new Date(0) });
}

/** As apply and removal do it, as far as the directory service does it; and the ledger that they would leave. */
async function perform(mac: PretendedMac, changes: readonly Change[], atMost = Infinity): Promise<void> {
  const entries = new Map<string, Origin>(ledgerOf(mac));
  for (const { action, origin, remembers = [], hasTakenEffect } of changes.slice(0, atMost)) {
    for (const each of [...(origin === undefined ? [] : [origin]), ...remembers])
      if (!entries.has(each.key)) entries.set(each.key, each);
    const isOfDirectory = action.kind === "run" && action.argv[0]?.startsWith("ds") === true;
    if (isOfDirectory) {
      await mac.run(action.argv);
      assert.ok(await hasTakenEffect(mac), action.argv.join(" "));
    }
    const home = mac.homes.get("/Users/codebot");
    if (action.kind === "mode" && home !== undefined) {
      const gid = action.group === undefined ? home.gid : Number((await mac.group(action.group))?.gid ?? action.group);
      mac.homes.set("/Users/codebot", { uid: 505, gid: gid ?? 0, mode: action.mode ?? home.mode });
    }
  }
  mac.files.set(
    "/var/db/agentbus/setup.json",
    JSON.stringify({ version: 1, entries: Object.fromEntries(entries), retired: [] }),
  );
}

function ledgerOf(mac: PretendedMac): [string, Origin][] {
  const text = mac.files.get("/var/db/agentbus/setup.json");
  if (text === undefined) return [];
  const { entries } = JSON.parse(text) as { entries: Record<string, Origin> };
  return Object.entries(entries).map(([key, entry]) => [key, { ...entry, key }]);
}

async function everything(mac: PretendedMac) {
  const groups = await mac.groups();
  const listed = groups.filter(({ name }) => name !== "agents").map((each) => [each.name, [...each.members].sort()]);
  return [mac.record("codebot"), listed, mac.homes.get("/Users/codebot")];
}

describe("an account of macOS that was there before", () => {
  test("is taken over and given back by the steps of the golden plan", async () => {
    const mac = withAccount();
    const plan = await planned(mac);
    assert.deepEqual(plan.conflicts, []);
    await perform(mac, plan.changes);
    const text = [
      ...["== setup apply --adopt codebot", ...planText(plan, FLAVOURS.darwin)],
      ...["", "== setup remove codebot", ...planText({ ...(await removal(mac)), conflicts: [] }, FLAVOURS.darwin), ""],
    ].join("\n");
    if (isUpdate) fs.writeFileSync(GOLDEN, text);
    assert.equal(text, fs.existsSync(GOLDEN) ? fs.readFileSync(GOLDEN, "utf8") : "(there is no golden file)");
  });

  test("keeps its password and its name, and gets everything else back, also when both were stopped in between", async () => {
    const before = await everything(withAccount());
    const whole = (await planned(withAccount())).changes.length;
    for (let stop = 0; stop <= whole; stop++) {
      const mac = withAccount();
      await perform(mac, (await planned(mac)).changes, stop);
      await perform(mac, (await planned(mac)).changes);
      assert.equal(mac.attribute("codebot", "Password"), "********");
      assert.equal(mac.attribute("codebot", "RealName"), "A person");
      assert.equal(mac.attribute("codebot", "PrimaryGroupID"), "505");
      assert.equal(mac.attribute("codebot", "UserShell"), "/bin/zsh");
      assert.ok(mac.ran.every((command) => !/Password|RealName|IsHidden|createhomedir/.test(command)));
      await perform(mac, (await removal(mac)).changes, stop);
      const { changes, notes } = await removal(mac);
      await perform(mac, changes);
      assert.deepEqual(await everything(mac), before, `stopped after ${stop} steps`);
      assert.ok(
        !notes.some((note) => note.includes("not setup's doing")),
        `stopped after ${stop} steps: ${notes.join()}`,
      );
    }
  });
});
