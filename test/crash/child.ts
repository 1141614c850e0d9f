/** Plays one scenario; records the calls that it makes, or kills itself at one of them. */
import fs from "node:fs";
import { changesTheDisk, SeamWatch, type SeamCall, type SeamHook } from "./seam-calls.js";
import { Journal } from "./journal.js";
import { scenarios } from "./scenarios.js";
import { Stage } from "./stage.js";

/** Before or after which call of a scenario a process kills itself. */
export interface KillPoint {
  readonly phase: string;
  readonly when: "before" | "after";
  readonly name: string;
  readonly nth: number;
}

export interface ChildTask {
  readonly scenario: string;
  readonly spoolPath: string;
  readonly journalPath: string;
  /** undefined: none; the points are then written to `pointsPath`. */
  readonly kill?: KillPoint | undefined;
  readonly pointsPath?: string | undefined;
}

const task = JSON.parse(process.argv[2] ?? "") as ChildTask;
const points: KillPoint[] = [];
let phase = "";

function die(): void {
  process.kill(process.pid, "SIGKILL");
}

const record: SeamHook = (call, proceed) => {
  // What fails changes nothing, and throws here.
  const result = proceed();
  if (changesTheDisk(call))
    for (const when of ["before", "after"] as const) points.push({ phase, when, ...nameOf(call) });
  return result;
};

function killAt(point: KillPoint): SeamHook {
  return (call, proceed) => {
    const isHere = phase === point.phase && call.name === point.name && call.nth === point.nth;
    if (isHere && point.when === "before") die();
    const result = proceed();
    if (!isHere) return result;
    if (!(result instanceof Promise)) return die();
    return result.then(die);
  };
}

function nameOf({ name, nth }: SeamCall): Pick<SeamCall, "name" | "nth"> {
  return { name, nth };
}

const watch = new SeamWatch(task.spoolPath, task.kill === undefined ? record : killAt(task.kill));
const stage = new Stage({
  spoolPath: task.spoolPath,
  journal: new Journal(task.journalPath),
  name: "child",
  fileSystem: watch.fileSystem,
  onPhase: (name) => {
    phase = name;
    watch.startOver();
  },
});
const scenario = scenarios.find(({ name }) => name === task.scenario);
if (scenario === undefined) throw new Error(`no scenario ${task.scenario}`);
await scenario.run(stage);
if (task.pointsPath !== undefined) fs.writeFileSync(task.pointsPath, JSON.stringify(points));
