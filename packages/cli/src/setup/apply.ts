import { resolve } from "node:path";
import {
  applySetup,
  asRootCommand,
  fileArgument,
  readSetupFile,
  requireTrustedFile,
  SystemMachine,
  type Plan,
  type Setup,
} from "@agentbus/setup";
import { printLine } from "../output.js";
import { toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { say } from "../words.js";
import { ask, refuseUnseen } from "./ask.js";
import { counted, printPlan } from "./plan.js";
import { ownCommand, Progress, sayFailure } from "./progress.js";

export interface ApplyCliOptions {
  readonly yes?: boolean;
  readonly adopt?: readonly string[];
}

/** `agentbus setup apply` */
export async function applyAction(
  file: string,
  { yes = false, adopt = [], json = false }: ApplyCliOptions & GlobalOptions,
): Promise<void> {
  refuseUnseen({ json, yes }, `${withYes(resolve(file), adopt)} --json`);
  const machine = await SystemMachine.look();
  await requireTrustedFile(file, machine);
  const setup = readSetupFile(file);
  const progress = new Progress(json);
  const { steps, confirmed, plan, failures } = await applySetup(setup, machine, {
    adopt,
    agentbus: ownCommand(),
    confirm: async (proposed) => {
      if (!json) await printPlan(proposed, machine);
      const count = proposed.changes.length;
      const question = `Make ${count === 1 ? "this change" : `these ${count} changes`} to this machine?`;
      const isWanted = yes || (await ask(question, withoutAsking(setup, adopt)));
      if (isWanted) progress.begin(count);
      return isWanted;
    },
    onMoment: progress.onMoment,
    onFailure: (error) => sayFailure(error.message, error.fix),
  }).finally(() => progress.close());
  if (json)
    await printLine(toJson({ confirmed, steps, notes: plan.notes, failures: failures.map(({ message }) => message) }));
  else summarise(steps, confirmed, plan, setup);
  if (!confirmed || failures.length > 0) process.exitCode = 1;
}

function withoutAsking({ path }: Setup, adopt: readonly string[]): string {
  return `${withYes(path, adopt)}; agentbus setup plan${fileArgument(path)} shows before what it would do`;
}

function withYes(path: string, adopt: readonly string[]): string {
  const adopted = adopt.map((name) => ` --adopt ${name}`).join("");
  return asRootCommand(`setup apply${fileArgument(path)}${adopted} --yes`);
}

function summarise(steps: number, confirmed: boolean, { changes, notes }: Plan, { path }: Setup): void {
  if (!confirmed) return say("nothing was changed");
  for (const note of notes) say(note);
  if (changes.length === 0) return say("nothing to change: all is as the file says");
  // What somebody has to do next is easily missed in a long plan.
  const logins = changes.flatMap(({ remarks = [] }) => remarks.filter((remark) => /log in again/.test(remark)));
  for (const login of new Set(logins)) say(login);
  say(
    `${counted(steps, "change")} made; to see whether it isolates: ${asRootCommand(`setup verify${fileArgument(path)}`)}`,
  );
}
