import fs from "node:fs";
import { isBusError } from "@agentbus/core";
import {
  removeSetup,
  requireTrustedFile,
  SystemMachine,
  withoutAgent,
  type HomeFate,
  type Machine,
  type Moment,
  type Removed,
} from "@agentbus/setup";
import { UsageError } from "../failure.js";
import { printLine } from "../output.js";
import { printable, toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { say } from "../words.js";
import { ask } from "./ask.js";
import { counted, printPlan } from "./plan.js";
import { ownCommand, progress, sayFailure } from "./progress.js";

export interface RemoveCliOptions {
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly home: string;
  readonly file: string;
}

const FATES: readonly string[] = ["archive", "delete", "keep"] satisfies HomeFate[];

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
  const machine = await SystemMachine.look();
  let onMoment: (moment: Moment) => void = () => undefined;
  const removed = await removeSetup(machine, {
    ...(all ? {} : { agents }),
    agentbus: ownCommand(),
    home: home as HomeFate,
    confirm: async (removal) => {
      if (!json) await printPlan({ ...removal, conflicts: [] }, machine);
      onMoment = progress(removal.changes.length, json);
      return yes || (await ask(all ? "Remove all of this?" : `Remove ${agents.join(", ")}?`));
    },
    onMoment: (moment) => onMoment(moment),
    onFailure: (error) => sayFailure(error.message, error.fix),
  });
  if (removed.confirmed && removed.failures.length === 0 && !all) await forgetInFile(file, agents, machine);
  if (json)
    await printLine(toJson({ ...removed, failures: removed.failures.map(({ message, fix }) => ({ message, fix })) }));
  else summarise(removed);
  if (!removed.confirmed || removed.failures.length > 0) process.exitCode = 1;
}

function summarise({ confirmed, steps, failures, notes, otherFiles }: Removed): void {
  if (!confirmed) return say("nothing was changed");
  for (const note of notes) say(note);
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
  fs.writeFileSync(file, text);
  say(`took ${agents.join(", ")} out of ${file}`);
}
