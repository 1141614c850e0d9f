import { diagnose, type Finding } from "@agentbus/core";
import type { Command } from "commander";
import { painterFor, type Colour } from "../colour.js";
import { printLine } from "../output.js";
import { printable, toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";

const EXAMPLES = `
Looks at modes, owners, groups, memberships, mounts, limits and kernel settings,
and changes nothing. Exit code 1 if anything is an error.

Examples:
  agentbus doctor
  agentbus doctor --group agents --json`;

export function doctorCommand(program: Command): Command {
  return program
    .command("doctor")
    .description("Check everything that the bus depends on; each finding has the command that mends it.")
    .addHelpText("after", EXAMPLES)
    .action((_: unknown, command: Command) => doctor(command.optsWithGlobals<GlobalOptions>()));
}

const COLOURS: Readonly<Record<Finding["severity"], Colour>> = { error: "red", warning: "yellow", info: "dim" };

async function doctor({ spool, group, json }: GlobalOptions): Promise<void> {
  const findings = await diagnose({ spool, group });
  const paint = painterFor(process.stdout);
  for (const finding of findings) {
    if (json === true) await printLine(toJson(finding));
    else for (const line of linesOf(finding, paint)) await printLine(line);
  }
  const count = (severity: Finding["severity"]) => findings.filter((finding) => finding.severity === severity).length;
  if (json !== true) await printLine(`${count("error")} errors, ${count("warning")} warnings`);
  if (count("error") > 0) process.exitCode = 1;
}

function linesOf({ severity, message, fix }: Finding, paint: ReturnType<typeof painterFor>): string[] {
  const head = `${paint(COLOURS[severity], severity.padEnd(7))}  ${printable(message)}`;
  return fix === undefined ? [head] : [head, `         fix: ${printable(fix)}`];
}
