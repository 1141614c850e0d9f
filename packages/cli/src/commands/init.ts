import { createSpool, type CreatedSpool } from "@agentbus/core";
import type { Command } from "commander";
import { printLine } from "../output.js";
import { printable, toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { say } from "../words.js";

const EXAMPLES = `
Without --group it is your personal spool, which the first use makes anyway. Run
again, it puts right what has changed in owners and modes.

Examples:
  sudo agentbus init --group agents    a spool for everybody in the group agents
  agentbus init --spool /tmp/try       one to try things out in`;

export function initCommand(program: Command): Command {
  return program
    .command("init")
    .description("Make the spool of a group (as root), or a personal one, or put one right.")
    .addHelpText("after", EXAMPLES)
    .action((_: unknown, command: Command) => init(command.optsWithGlobals<GlobalOptions>()));
}

async function init({ spool, group, json }: GlobalOptions): Promise<void> {
  const made = await createSpool({ spool, group });
  if (json === true) return printLine(toJson(made));
  for (const line of describe(made)) say(line);
  await printLine(printable(made.path));
}

function describe({ kind, group, created, changes }: CreatedSpool): string[] {
  const what = kind === "group" ? `the spool of group ${group ?? "?"}` : "the personal spool";
  if (!created)
    return changes.length === 0 ? [`${what} was there and is as it should be`] : [`put right in ${what}:`, ...changes];
  if (kind === "personal") return [`made ${what}; try: agentbus subscribe '**'`];
  return [
    `made ${what}; its members can use it now. To add one: usermod -aG ${group ?? "GROUP"} NAME, then NAME logs in again`,
  ];
}
