import fs from "node:fs";
import { isBusError, shellQuote } from "@agentbus/core";
import {
  asRootCommand,
  removeSetup,
  requireTrustedFile,
  SETUP_FILE,
  SystemMachine,
  withoutAgent,
  type HomeFate,
  type Machine,
  type Removed,
} from "@agentbus/setup";
import { UsageError } from "../failure.js";
import { printLine } from "../output.js";
import { printable, toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { say } from "../words.js";
import { ask, refuseUnseen } from "./ask.js";
import { counted, printPlan } from "./plan.js";
import { rewrite } from "./write-file.js";
import { ownCommand, Progress, sayFailure } from "./progress.js";

export interface RemoveCliOptions {
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly home: string;
  readonly file: string;
}

const DEFAULT_FATE: HomeFate = "archive";
const FATES: readonly string[] = [DEFAULT_FATE, "delete", "keep"] satisfies HomeFate[];

/** `agentbus setup remove` */
export async function removeAction(
  agents: readonly string[],
  options: RemoveCliOptions & GlobalOptions,
): Promise<void> {
  const { all = false, yes = false, home, file, json = false } = options;
  if (all === agents.length > 0)
    throw new UsageError("remove needs the names of agents, or --all", "agentbus setup list shows them");
  if (!FATES.includes(home))
    throw new UsageError(`there is no fate ${JSON.stringify(home)}`, "--home archive, delete or keep");
  refuseUnseen(options, `${withYes(agents, options)} --json`);
  const machine = await SystemMachine.look();
  const progress = new Progress(json);
  const archives: string[] = [];
  const removed = await removeSetup(machine, {
    ...(all ? {} : { agents }),
    agentbus: ownCommand(),
    home: home as HomeFate,
    confirm: async (removal) => {
      if (!json) await printPlan({ ...removal, conflicts: [] }, machine);
      const question = all ? "Remove all of this?" : `Remove ${agents.join(", ")}?`;
      const isWanted = yes || (await ask(question, `${withYes(agents, options)}, after a look at the plan above`));
      if (isWanted) progress.begin(removal.changes.length);
      return isWanted;
    },
    onMoment: (moment) => {
      progress.onMoment(moment);
      if (moment.at === "done" && moment.change.id.endsWith("/home-archived")) archives.push(moment.change.title);
    },
    onFailure: (error) => sayFailure(error.message, error.fix),
  }).finally(() => progress.close());
  if (removed.confirmed && removed.failures.length === 0 && !all) await forgetInFile(file, agents, machine);
  if (json)
    await printLine(toJson({ ...removed, failures: removed.failures.map(({ message, fix }) => ({ message, fix })) }));
  else summarise(removed, archives);
  if (!removed.confirmed || removed.failures.length > 0) process.exitCode = 1;
}

/** The same command, with what it was given. */
function withYes(agents: readonly string[], { all = false, home, file }: RemoveCliOptions): string {
  const words = ["setup", "remove", ...(all ? ["--all"] : agents), ...(home === DEFAULT_FATE ? [] : ["--home", home])];
  const named = all || file === SETUP_FILE ? "" : ` --file ${shellQuote(file)}`;
  return asRootCommand(`${words.join(" ")}${named} --yes`);
}

/** @param archives what was packed and where, which is easily missed among so many steps */
function summarise({ confirmed, steps, failures, notes, otherFiles }: Removed, archives: readonly string[]): void {
  if (!confirmed) return say("nothing was changed");
  for (const note of notes) say(note);
  for (const archive of archives) say(archive.replace(/^pack (.*) into (.*)$/, "$1 is in $2, for root alone"));
  for (const { name, uid, paths, more } of otherFiles) {
    say(`files of uid ${uid} (${name}) are left, and nobody inherits them; to remove one: sudo rm -r -- PATH`);
    for (const path of paths) say(`  ${printable(path)}`);
    if (more) say(`  and more: sudo find / -xdev -uid ${uid}`);
  }
  if (failures.length > 0)
    return say(`${counted(steps, "step")} done, ${failures.length} not; run the same command again to finish`);
  say(steps === 0 ? "nothing to remove" : `${counted(steps, "step")} done, nothing left to do`);
}

/** Or the next apply would make them again. The file keeps its owner and everything else that is in it. */
async function forgetInFile(file: string, agents: readonly string[], machine: Machine): Promise<void> {
  if (!fs.existsSync(file)) return;
  try {
    await requireTrustedFile(file, machine);
  } catch (error) {
    if (!isBusError(error)) throw error;
    return say(`${error.message}; if ${agents.join(", ")} is in it, the next apply of it makes that again`);
  }
  const before = fs.readFileSync(file, "utf8");
  let text = before;
  for (const agent of agents) text = withoutAgent(text, agent);
  if (text === before) return;
  rewrite(file, text);
  say(`took ${agents.join(", ")} out of ${file}`);
}
