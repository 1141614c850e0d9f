import { applySetup, readSetupFile, SystemMachine, type Moment } from "@agentbus/setup";
import { printLine } from "../output.js";
import { toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { say } from "../words.js";
import { ask } from "./ask.js";
import { counted, printPlan } from "./plan.js";
import { ownCommand, progress, sayFailure } from "./progress.js";

export interface ApplyCliOptions {
  readonly yes?: boolean;
  readonly adopt?: readonly string[];
}

/** `agentbus setup apply` */
export async function applyAction(
  file: string,
  { yes = false, adopt = [], json = false }: ApplyCliOptions & GlobalOptions,
): Promise<void> {
  const setup = readSetupFile(file);
  const machine = await SystemMachine.look();
  let onMoment: (moment: Moment) => void = () => undefined;
  const { steps, confirmed, plan, failures } = await applySetup(setup, machine, {
    adopt,
    agentbus: ownCommand(),
    confirm: async (proposed) => {
      if (!json) await printPlan(proposed, machine);
      onMoment = progress(proposed.changes.length, json);
      return (
        yes ||
        (await ask(
          `Make ${proposed.changes.length === 1 ? "this change" : `these ${proposed.changes.length} changes`} to this machine?`,
        ))
      );
    },
    onMoment: (moment) => onMoment(moment),
    onFailure: (error) => sayFailure(error.message, error.fix),
  });
  if (json)
    await printLine(toJson({ confirmed, steps, notes: plan.notes, failures: failures.map(({ message }) => message) }));
  else if (!confirmed) say("nothing was changed");
  else if (plan.changes.length === 0) say("nothing to change: all is as the file says");
  else say(`${counted(steps, "change")} made; to see whether it isolates: sudo agentbus setup verify`);
  if (!json && plan.changes.length === 0) for (const note of plan.notes) say(note);
  if (!confirmed || failures.length > 0) process.exitCode = 1;
}
