import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { SNAPSHOT } from "./sandbox-machine.js";
import { SystemdMachine } from "./systemd-machine.js";

/** An agent that only logs in; the setups below make a service of it. */
const PLAIN = {
  version: 1,
  groups: { agents: {} },
  agents: { codebot: { groups: ["agents"] } },
};
const SERVED = served({ memory: "512M", tasks: 64, files: 4096 }, "100000", { stayAwake: true });
const SERVED_OTHERWISE = served({ memory: "256M", tasks: 32, files: 2048 }, "200000", { lidClosed: true });

function served(limits: object, seconds: string, power: object) {
  const service = { command: ["/bin/sleep", seconds], restart: "no" };
  return { ...PLAIN, agents: { codebot: { groups: ["agents"], limits, lifecycle: { service } } }, power };
}

/** What the modules of the tests begin with: setups, and a place to stop at. */
const PREAMBLE = `
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import { applySetup, makePlan, parseSetup, removeSetup, SystemMachine } from "/mnt/agentbus/packages/setup/dist/index.js";
const parsed = (text) => parseSetup(text, "/tmp/agentbus.json");
const [plain, served, servedOtherwise] = ${JSON.stringify([PLAIN, SERVED, SERVED_OTHERWISE].map((each) => JSON.stringify(each)))}.map(parsed);
const agentbus = [process.execPath, "/mnt/agentbus/packages/cli/bin/agentbus.cjs"];
const machine = await SystemMachine.look();
const UNIT = "agentbus-codebot.service";
const SLICE = "user-" + (await makePlan(served, machine)).agents[0].account.uid + ".slice";
class Stopped extends Error {}
let moments = [];
function isOfSystemd({ action }) {
  return /systemctl|\\/etc\\/systemd\\/|\\/etc\\/tmpfiles\\.d\\//.test([...(action.argv ?? []), action.file?.path, action.path].join(" "));
}
function stopAt(number) {
  let count = 0;
  return ({ change, at }) => {
    // Where the ledger forgets nothing after a step, nothing has changed since it acted.
    const hasForgotten = at === "done" && (change.forgets?.length > 0 || change.forgetsAgent !== undefined);
    if ((at !== "noted" && at !== "acted" && !hasForgotten) || !isOfSystemd(change)) return;
    moments[count] = change.id + " " + at;
    if (count++ === number) throw new Stopped();
  };
}
const apply = (setup, number = -1) => applySetup(setup, machine, { agentbus, onMoment: stopAt(number) });
const remove = (number = -1) => removeSetup(machine, { agentbus, home: "delete", looksForFiles: false, onMoment: stopAt(number) });
async function stopped(task) {
  try { await task; return false; } catch (error) { if (error instanceof Stopped) return true; throw error; }
}
const show = (...args) => spawnSync("systemctl", ["show", ...args], { encoding: "utf8" }).stdout;
/** Files and accounts; what systemd knows of the service and of the slice; and what the service's process really is. */
function snapshot() {
  const text = execFileSync("sh", ["-c", ${JSON.stringify(SNAPSHOT)}], { encoding: "utf8" });
  const loaded = ["NeedDaemonReload", "MemoryMax", "TasksMax"];
  const unit = show("--property=LoadState,ActiveState,Result,UnitFileState,LimitNOFILE," + loaded, UNIT);
  const slice = show("--property=ActiveState,DropInPaths," + loaded, SLICE);
  const failed = execFileSync("systemctl", ["list-units", "--failed", "--plain", "--no-legend"], { encoding: "utf8" });
  return [text, "== service", unit, runs(), "== slice", slice, "== failed", failed].join("\\n");
}
/** Its words, once its shell has become them, and its limit of files. */
function runs() {
  const pid = Number(show("--property=MainPID", "--value", UNIT));
  if (pid === 0) return "does not run";
  for (;;) {
    const words = fs.readFileSync("/proc/" + pid + "/cmdline", "utf8").split("\\0");
    if (!words.includes("agentbus-environment") && !words[0].includes("systemd"))
      return words.join(" ") + /^Max open files.*$/m.exec(fs.readFileSync("/proc/" + pid + "/limits", "utf8"))[0];
  }
}
const result = { moments: 0, problems: [] };
const expect = (what, actual, wanted) => {
  if (actual !== wanted) result.problems.push(what + ", stopped at " + moments.at(-1) + "\\n" + difference(actual, wanted));
};
function difference(actual, wanted) {
  const [a, w] = [new Set(actual.split("\\n")), new Set(wanted.split("\\n"))];
  return [...[...a].filter((line) => !w.has(line)).map((line) => "+" + line), ...[...w].filter((line) => !a.has(line)).map((line) => "-" + line)].join("\\n");
}
const ledger = () => JSON.parse(fs.readFileSync("/var/lib/agentbus/setup.json", "utf8"));
const ledgerKeys = () => Object.keys(ledger().entries).sort().join("\\n");
async function expectSettled(setup) {
  const plan = await makePlan(setup, machine);
  if (plan.changes.length > 0) result.problems.push("a third apply would change " + plan.changes.map(({ id }) => id) + ", stopped at " + moments.at(-1));
}
/** The ledger keeps retired uids; forgotten here, so that each round gets the same. */
const forget = () => fs.rmSync("/var/lib/agentbus", { recursive: true, force: true });
// As while somebody is logged in as the agent: a slice that is loaded takes limits only when systemd reads its files again.
execFileSync("systemctl", ["start", SLICE]);
const before = snapshot();
`;

/**
 * Runs the code with the preamble above on a machine that systemd runs: a real one, so that nothing is believed of it that it does not
 * do; but one for all stops, since to boot one takes longer than most rounds. It stops at the steps alone that a machine without
 * systemd lacks: faults.test.ts has the others. What the code finds wrong fails the test, and so do too few places to stop at.
 */
export async function assertStopsAreMended(context: TestContext, leastMoments: number, code: string): Promise<void> {
  const machine = await SystemdMachine.boot(context);
  const printed = machine.must([
    process.execPath,
    "--input-type=module",
    "--eval",
    `${PREAMBLE}${code}\nconsole.log(JSON.stringify(result));`,
  ]);
  const { moments, problems } = JSON.parse(printed) as { moments: number; problems: string[] };
  assert.deepEqual(problems, []);
  assert.ok(moments >= leastMoments, `only ${moments} places to stop at`);
}
