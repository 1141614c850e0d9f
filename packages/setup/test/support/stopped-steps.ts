/** What is applied and removed, and a script for sh that prints all that is to be compared. */
interface Round {
  readonly setup: unknown;
  readonly snapshot: string;
  /** What is there before, and stays. @default none */
  readonly adopt?: readonly string[];
  /**
   * The steps, by their ids, that it is stopped after as well, of those after which the ledger forgets: after any other step nothing has
   * changed since it acted. @default each of them
   */
  readonly forgotten?: RegExp;
  /** 2: at every second place, which is another one of each step than of the next. @default 1 */
  readonly every?: number;
}

export interface RoundOfFaults {
  /** How many places there were to stop at. */
  readonly moments: number;
  /** What was not as it should be afterwards. */
  readonly problems: readonly string[];
}

/** What the modules below begin with: one setup, and a place to stop it at. */
const preamble = ({ setup, snapshot, adopt = [], forgotten = /^/, every = 1 }: Round) => `
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import { applySetup, parseSetup, removeSetup, SystemMachine } from "/mnt/agentbus/packages/setup/dist/index.js";
const setup = parseSetup(${JSON.stringify(JSON.stringify(setup))}, "/tmp/agentbus.json");
const adopt = ${JSON.stringify(adopt)};
const agentbus = [process.execPath, "/mnt/agentbus/packages/cli/bin/agentbus.cjs"];
const machine = await SystemMachine.look();
class Stopped extends Error {}
let moments = [];
function stopAt(number) {
  let count = 0;
  return ({ change, at }) => {
    const hasForgotten = at === "done" && (change.forgets?.length > 0 || change.forgetsAgent !== undefined);
    if (at !== "noted" && at !== "acted" && !(hasForgotten && ${forgotten}.test(change.id))) return;
    moments[count] = change.id + " " + at;
    if (count++ === number) throw new Stopped();
  };
}
const apply = (number = -1) => applySetup(setup, machine, { adopt, agentbus, onMoment: stopAt(number) });
const remove = (number = -1, more = { home: "delete" }) => removeSetup(machine, { agentbus, looksForFiles: false, onMoment: stopAt(number), ...more });
const snapshot = () => execFileSync("sh", ["-c", ${JSON.stringify(snapshot)}], { encoding: "utf8" });
/** Places come in pairs, "noted" and "acted": the first of one, the second of the next. */
const next = (number) => number + (${every} === 1 ? 1 : number % 2 === 0 ? 3 : 1);
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

/**
 * An ES module for `SandboxMachine.module`: apply is stopped at each of its moments in turn, applied again and removed. It prints a
 * `RoundOfFaults`.
 */
export const applyStopped = (round: Round): string => `${preamble(round)}
await apply();
const wanted = snapshot();
await remove();
expect("removed", snapshot(), before);
forget();
for (let number = 0; ; number = next(number)) {
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

/**
 * The same for removal, by its default, which packs the homes of agents that were made: whenever it was stopped, one archive at least is whole, all are root's alone, and
 * what was half packed is gone. All is done within a second, for which archives are named.
 */
export const removalStopped = (round: Round): string => `${preamble(round)}
const at = new Date("2026-01-02T03:04:05Z");
const HOMES = "/var/lib/agentbus/homes";
const ARCHIVE = /^codebot-20260102T030405Z(-[0-9]+)?\\.tar\\.gz$/;
function expectArchived() {
  const names = fs.readdirSync(HOMES);
  const modes = [HOMES, ...names.map((name) => HOMES + "/" + name)].map((path) => fs.statSync(path)).map(({ uid, mode }) => uid + ":" + (mode & 0o777).toString(8));
  expect("modes of archives", modes.join(" "), ["0:700", ...names.map(() => "0:600")].join(" "));
  const works = names.map((name) => spawnSync("tar", ["-xzOf", HOMES + "/" + name, "codebot/work"], { encoding: "utf8" }).stdout);
  if (!works.includes("work") || !names.every((name) => ARCHIVE.test(name))) result.problems.push("archived are " + names + " with " + works + " after " + moments.at(-1));
  return names.length;
}
const archives = new Set();
for (let number = 0; ; number = next(number)) {
  await apply();
  if (adopt.length === 0) fs.writeFileSync("/home/codebot/work", "work");
  moments = [];
  const wasStopped = await stopped(remove(number, { at }));
  if (wasStopped) {
    result.moments++;
    // As far as a deletion may have come.
    const isHalfGone = moments.at(-1) === "codebot/home-removed noted";
    if (isHalfGone) fs.rmSync("/home/codebot/work");
    const { failures, notes } = await remove(-1, { at });
    if (failures.length > 0) result.problems.push(failures.map(({ message }) => message).join());
    const drift = notes.filter((note) => note.includes("not setup's doing"));
    if (drift.length > 0) result.problems.push(drift.join() + " after " + moments.at(-1));
  }
  if (adopt.length === 0) archives.add(expectArchived());
  expect("removed", snapshot(), before);
  const { retired, entries } = JSON.parse(fs.readFileSync("/var/lib/agentbus/setup.json", "utf8"));
  if (Object.keys(entries).length > 0) result.problems.push("still in the ledger: " + Object.keys(entries) + " after " + moments.at(-1));
  if (retired.length !== (adopt.length === 0 ? 1 : 0)) result.problems.push(retired.length + " uids are retired after " + moments.at(-1));
  forget();
  if (!wasStopped) break;
}
expect("numbers of archives", [...archives].sort().join(), adopt.length === 0 ? "1,2" : "");
console.log(JSON.stringify(result));
`;
