import assert from "node:assert/strict";
import { test } from "node:test";
import { NEEDS_NAMESPACES, SandboxMachine, SNAPSHOT } from "./support/sandbox-machine.js";

const SETUP = {
  version: 1,
  humans: { alice: { groups: ["agents"] } },
  groups: { agents: { limits: { maxBacklog: 500 } } },
  agents: {
    codebot: {
      groups: ["agents"],
      git: { name: "codebot", email: "codebot@example.org" },
      limits: { files: 4096 },
      sudo: [{ command: ["/usr/bin/systemctl", "restart", "myapp.service"] }],
    },
  },
};

/** What the modules below begin with: one setup, and a place to stop it at. */
const PREAMBLE = `
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { applySetup, parseSetup, removeSetup, SystemMachine } from "/mnt/agentbus/packages/setup/dist/index.js";
const setup = parseSetup(${JSON.stringify(JSON.stringify(SETUP))}, "/tmp/agentbus.json");
const agentbus = [process.execPath, "/mnt/agentbus/packages/cli/bin/agentbus.cjs"];
const machine = await SystemMachine.look();
class Stopped extends Error {}
let moments = [];
function stopAt(number) {
  let count = 0;
  return ({ change, at }) => {
    if (at !== "noted" && at !== "acted") return;
    moments[count] = change.id + " " + at;
    if (count++ === number) throw new Stopped();
  };
}
const apply = (number = -1) => applySetup(setup, machine, { agentbus, onMoment: stopAt(number) });
const remove = (number = -1) => removeSetup(machine, { agentbus, home: "delete", looksForFiles: false, onMoment: stopAt(number) });
const snapshot = () => execFileSync("sh", ["-c", ${JSON.stringify(SNAPSHOT)}], { encoding: "utf8" });
async function stopped(task) {
  try { await task; return false; } catch (error) { if (error instanceof Stopped) return true; throw error; }
}
/** The ledger keeps retired uids; forgotten here, so that each round gets the same. */
const forget = () => fs.rmSync("/var/lib/agentbus", { recursive: true, force: true });
const before = snapshot();
const result = { moments: 0, problems: [] };
const expect = (what, actual, wanted) => {
  if (actual !== wanted) result.problems.push(what + " after " + moments.at(-1) + "\\n" + difference(actual, wanted));
};
function difference(actual, wanted) {
  const [a, w] = [new Set(actual.split("\\n")), new Set(wanted.split("\\n"))];
  return [...[...a].filter((line) => !w.has(line)).map((line) => "+" + line), ...[...w].filter((line) => !a.has(line)).map((line) => "-" + line)].join("\\n");
}
`;

const APPLY_STOPPED = `${PREAMBLE}
await apply();
const wanted = snapshot();
await remove();
expect("removed", snapshot(), before);
forget();
for (let number = 0; ; number++) {
  moments = [];
  if (!(await stopped(apply(number)))) break;
  result.moments++;
  await apply();
  expect("applied again", snapshot(), wanted);
  const { plan } = await apply();
  if (plan.changes.length > 0) result.problems.push("a third apply changes " + plan.changes.map(({ id }) => id));
  await remove();
  expect("removed", snapshot(), before);
  forget();
}
console.log(JSON.stringify(result));
`;

const REMOVE_STOPPED = `${PREAMBLE}
for (let number = 0; ; number++) {
  await apply();
  fs.writeFileSync("/home/codebot/work", "work");
  moments = [];
  const wasStopped = await stopped(remove(number));
  if (wasStopped) {
    result.moments++;
    const { failures } = await remove();
    if (failures.length > 0) result.problems.push(failures.map(({ message }) => message).join());
  }
  expect("removed", snapshot(), before);
  const { retired, entries } = JSON.parse(fs.readFileSync("/var/lib/agentbus/setup.json", "utf8"));
  if (Object.keys(entries).length > 0) result.problems.push("still in the ledger: " + Object.keys(entries) + " after " + moments.at(-1));
  if (retired.length !== 1) result.problems.push(retired.length + " uids are retired after " + moments.at(-1));
  forget();
  if (!wasStopped) break;
}
console.log(JSON.stringify(result));
`;

for (const [name, code] of [
  [
    "an apply that is stopped at any step is finished by the next, to the same end; and removal leaves what was before",
    APPLY_STOPPED,
  ],
  [
    "a removal that is stopped at any step is finished by the next, and leaves what was before, but for the retired uid",
    REMOVE_STOPPED,
  ],
] as const) {
  test(name, { skip: NEEDS_NAMESPACES }, async (context) => {
    const machine = await SandboxMachine.make(context);
    machine.addHuman("alice");
    const { moments, problems } = JSON.parse(machine.module(code)) as { moments: number; problems: string[] };
    assert.deepEqual(problems, []);
    assert.ok(moments >= 20, `only ${moments} places to stop at`);
  });
}
