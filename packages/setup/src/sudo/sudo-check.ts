import type { Machine } from "../machine.js";
import type { AgentSetup, SudoRule } from "../setup.js";
import { examineCommand, type PathObjection } from "./command-path.js";
import { parseGrants, parseWeakSettings, type SudoGrant } from "./granted.js";
import { lintSudoRule } from "./lint-rule.js";
import { sudoersPath } from "./sudoers-text.js";
import { sudoersLinesAbout, type SudoersLine } from "./sudoers-origins.js";

/** What an agent may do as root or as somebody else, and how that was found out. */
export interface SudoCheck {
  readonly agent: string;
  /** The commands that were run, and what they are for. One line each. */
  readonly howChecked: readonly string[];
  /** Everything that sudo grants. */
  readonly grants: readonly CheckedGrant[];
  /** Settings of sudo that hand the agent's environment to root, or keep the log and the terminal open. */
  readonly weakSettings: readonly string[];
  /** Rules of agentbus.json that sudo does not know. */
  readonly missing: readonly SudoRule[];
  /** Lines of sudoers that may be where grants beyond agentbus.json come from. */
  readonly origins: readonly SudoersLine[];
  /** What speaks against what agentbus.json itself allows. */
  readonly objections: readonly {
    readonly command: readonly string[];
    readonly problem: string;
    readonly remedy: string;
  }[];
}

export interface CheckedGrant extends SudoGrant {
  /** Whether agentbus.json says so. */
  readonly isPolicy: boolean;
}

/**
 * Asks sudo itself, so that nothing which gives an agent more is missed: a line in another file, one for a group of its, one in LDAP.
 * @param groups all that the account is in
 * @returns undefined when sudo did not say, as without root
 */
export async function sudoCheck(
  machine: Machine,
  agent: Pick<AgentSetup, "name" | "sudo">,
  groups: readonly string[],
): Promise<SudoCheck | undefined> {
  const { name, sudo: rules } = agent;
  const howChecked: string[] = [];
  const ask = async (args: readonly string[], why: string) => {
    // sudo breaks lines at 80 columns where no terminal says otherwise.
    const answer = await machine.run(["env", "COLUMNS=100000", "LC_ALL=C", "sudo", "-n", "-l", ...args]);
    howChecked.push(`sudo -n -l ${args.join(" ")}  # ${why}`);
    return answer;
  };
  const { status, stdout, stderr } = await ask(["-l", "-U", name], "all that sudo grants");
  const grants = status === 0 || stdout !== "" ? parseGrants(stdout + stderr) : undefined;
  if (grants === undefined) return undefined;
  const checked = grants.map((grant) => ({ ...grant, isPolicy: rules.some((rule) => matches(machine, rule, grant)) }));
  // sudo-rs lists a command that takes no argument like one that takes any.
  if (machine.flavour.sudo === "sudo-rs") {
    for (const [index, grant] of checked.entries()) {
      if (!grant.isPolicy || grant.command.includes(" ")) continue;
      const probe = await ask(["-U", name, grant.command, "agentbus-probe"], "refuses any argument");
      if (probe.status === 0) checked[index] = { ...grant, isPolicy: false };
    }
  }
  const extra = checked.filter(({ isPolicy }) => !isPolicy);
  const ownPath = sudoersPath(name, machine.flavour.platform);
  const uid = (await machine.user(name))?.uid;
  const lines = extra.length === 0 ? [] : sudoersLinesAbout(machine, { name, uid }, groups);
  const objections = rules.flatMap((rule) => objectionsTo(machine, rule));
  howChecked.push("each program of a rule: owner and mode of it, of links to it and of all directories above");
  return {
    agent: name,
    howChecked,
    grants: checked,
    // Without a grant there is nothing that they could weaken.
    weakSettings: grants.length === 0 ? [] : parseWeakSettings(stdout),
    missing: rules.filter((rule) => !checked.some((grant) => matches(machine, rule, grant))),
    // What setup wrote explains only what it meant to write; a line that was added to its file is somebody else's.
    origins: lines.filter(({ path, text }) => path !== ownPath || !isOwnLine(machine, name, rules, text)),
    objections,
  };
}

function matches({ flavour }: Machine, { command, runAs }: SudoRule, grant: SudoGrant): boolean {
  if (grant.runAs !== runAs || grant.needsPassword || grant.options.length > 0) return false;
  const text = command.join(" ");
  if (command.length > 1) return grant.command === text;
  return grant.command === `${text} ""` || (flavour.sudo === "sudo-rs" && grant.command === text);
}

function isOwnLine(machine: Machine, agent: string, rules: readonly SudoRule[], text: string): boolean {
  const [, runAs = "", command = ""] = /^\S+ ALL=\(([^)]*)\) NOPASSWD: (.*)$/.exec(text) ?? [];
  if (runAs === agent) return true;
  const grant = { runAs, command: command.replaceAll(/\\(.)/g, "$1"), needsPassword: false, options: [] };
  return rules.some((rule) => matches(machine, rule, grant));
}

function objectionsTo(machine: Machine, rule: SudoRule): SudoCheck["objections"] {
  const found: readonly (PathObjection | ReturnType<typeof lintSudoRule>[number])[] = [
    ...lintSudoRule(rule, machine.flavour.platform),
    ...examineCommand(machine, rule.command[0]),
  ];
  return found.map(({ problem, remedy }) => ({ command: rule.command, problem, remedy }));
}
