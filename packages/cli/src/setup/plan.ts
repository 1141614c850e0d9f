import {
  asRootCommand,
  fileArgument,
  FLAVOURS,
  isUnseen,
  makePlan,
  planJson,
  planScript,
  planText,
  PretendedMachine,
  readSetupFile,
  SystemMachine,
  type Machine,
  type Plan,
  type Setup,
} from "@agentbus/setup";
import { UsageError } from "../failure.js";
import { printLine } from "../output.js";
import { printable, toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { say } from "../words.js";

export interface PlanCliOptions {
  readonly format: string;
  readonly platform?: string;
  readonly adopt?: readonly string[];
}

/** `agentbus setup plan` */
export async function planAction(file: string, options: PlanCliOptions & GlobalOptions): Promise<void> {
  const { format, platform, adopt = [], json } = options;
  if (format !== "text" && format !== "sh")
    throw new UsageError(`there is no format ${JSON.stringify(format)}`, "--format text or --format sh");
  const setup = readSetupFile(file);
  const machine = await machineFor(platform);
  const plan = await makePlan(setup, machine, { adopt });
  if (plan.conflicts.length > 0) process.exitCode = 1;
  if (json === true) {
    for (const step of planJson(plan, machine.flavour)) await printLine(toJson(step));
  } else if (format === "sh") {
    for (const line of planScript(plan, machine.flavour)) await printLine(line);
  } else {
    await printPlan(plan, machine);
    say(summary(plan, machine, setup));
  }
}

/** On stdout, as it may well be longer than a screen. */
export async function printPlan(
  plan: Pick<Plan, "changes" | "conflicts" | "notes">,
  { flavour }: Machine,
): Promise<void> {
  for (const line of planText(plan, flavour)) await printLine(printable(line, "\t"));
}

function summary({ changes, conflicts }: Plan, { access }: Machine, { path }: Setup): string {
  if (conflicts.length > 0) return `${counted(conflicts.length, "thing")} in the way; nothing would be applied`;
  if (changes.length === 0) return "all is as it should be: nothing to change";
  const next = access === "pretended" ? "" : `; to do it: ${asRootCommand(`setup apply${fileArgument(path)}`)}`;
  const unseen = changes.filter(isUnseen).length;
  const more = unseen === 0 ? "" : `, and ${unseen} of which only root can see whether they are needed`;
  return `${counted(changes.length - unseen, "change")}${more}${next}`;
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

const PLATFORMS = { linux: FLAVOURS.debian, alpine: FLAVOURS.alpine, darwin: FLAVOURS.darwin };

function machineFor(platform: string | undefined): Promise<Machine> | Machine {
  if (platform === undefined) return SystemMachine.look();
  if (!Object.hasOwn(PLATFORMS, platform))
    throw new UsageError(`there is no platform ${JSON.stringify(platform)}`, "--platform linux, alpine or darwin");
  return new PretendedMachine({ flavour: PLATFORMS[platform as keyof typeof PLATFORMS] });
}
