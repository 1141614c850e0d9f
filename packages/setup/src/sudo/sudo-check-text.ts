import { asRootCommand } from "../own-command.js";
import type { SudoCheck } from "./sudo-check.js";

/** Whether sudo grants what agentbus.json says, and nothing else, and nothing speaks against that. */
export function isSudoAsWanted({ grants, missing, weakSettings, objections }: SudoCheck): boolean {
  return (
    grants.every(({ isPolicy }) => isPolicy) && [missing, weakSettings, objections].every((each) => each.length === 0)
  );
}

/** For people: what is allowed, what should not be, and how that was found out. */
export function sudoCheckText(check: SudoCheck): string[] {
  const { agent, grants, missing, weakSettings, origins, objections, howChecked } = check;
  const allowed = grants.map(({ isPolicy, runAs, needsPassword, options, command }) => {
    const extras = [...options, ...(needsPassword ? ["with a password"] : [])].join(", ");
    return `  ${isPolicy ? "as written " : "NOT WRITTEN"}  as ${runAs}: ${command}${extras === "" ? "" : ` (${extras})`}`;
  });
  return [
    grants.length === 0 ? `${agent} may do nothing with sudo.` : `${agent} may, with sudo:`,
    ...allowed,
    ...section(
      `In agentbus.json, and not in force (${asRootCommand("setup apply")}):`,
      missing.map(({ command, runAs }) => `as ${runAs}: ${command.join(" ")}`),
    ),
    ...section(
      "Where more may come from:",
      origins.map(({ path, line, text }) => `${path}:${line}: ${text}`),
    ),
    ...section("Settings of sudo that weaken it:", weakSettings),
    ...section(
      "Against what is written:",
      objections.map(({ command, problem, remedy }) => `${command.join(" ")}: ${problem}; ${remedy}`),
    ),
    ...section("How this was checked:", howChecked),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)];
}
