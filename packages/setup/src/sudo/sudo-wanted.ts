import type { Conflict, Wanted } from "../plan/change.js";
import { examineCommand } from "./command-path.js";
import type { Flavour, Machine } from "../machine.js";
import { NOTHING } from "../plan/part.js";
import type { AgentSetup, HumanSetup } from "../setup.js";
import { FIRST_SUDO_RS, isSudoRsFrom } from "./sudo-rs-version.js";
import { isNameForSudo, sudoersPath, sudoersText } from "./sudoers-text.js";

/**
 * The sudoers file of one agent. It is looked at before it counts (`visudo -O -P`: also its owner and mode), and once more with
 * everything else in sudoers.
 * @param humans who may become the agent: those of agentbus.json who share a group with it
 */
export function sudoWanted(
  agent: Pick<AgentSetup, "name" | "groups" | "sudo">,
  humans: readonly HumanSetup[],
  machine: Machine,
): Wanted {
  const { flavour } = machine;
  const companions = companionsOf(agent, humans);
  if (agent.sudo.length === 0 && companions.length === 0) return NOTHING;
  if (flavour.sudo === "none") return { ...NOTHING, ...withoutSudo(agent) };
  const count = agent.sudo.length;
  const allowed =
    count === 0 ? "nothing as root" : `${count} exact command${count === 1 ? "" : "s"} without a password`;
  const becoming =
    companions.length === 0
      ? []
      : [`${companions.join(", ")} may become ${agent.name}: agentbus setup shell ${agent.name}`];
  return {
    files: [
      {
        id: `${agent.name}/sudo`,
        title: `sudo: ${agent.name} may run ${allowed}`,
        path: sudoersPath(agent.name, flavour.platform),
        text: sudoersText(agent, companions, flavour),
        mode: 0o440,
        check: ["visudo", "-c", "-O", "-P", "-f", "{}"],
        checkWhole: ["visudo", "-c"],
        remarks: becoming,
      },
    ],
    commands: [],
    conflicts: [
      ...tooOld(agent.name, flavour),
      ...agent.sudo.flatMap(({ command: [path] }, index) => conflictsAbout(machine, agent.name, path, index)),
    ],
  };
}

/** It would refuse the file when half of the plan is done. */
function tooOld(agent: string, { sudoRsVersion: version }: Flavour): Conflict[] {
  if (version === undefined || isSudoRsFrom(version, FIRST_SUDO_RS)) return [];
  const problem = `sudo-rs ${version.join(".")} knows no settings of one account, which the sudo rules of ${agent} need`;
  const fix = `update it: sudo-rs ${FIRST_SUDO_RS.join(".")} is the first that does; or install sudo instead`;
  return [{ id: `${agent}/sudo/version`, problem, fix }];
}

/** Whoever can change the program would be root: nothing is applied before that is mended. */
function conflictsAbout(machine: Machine, agent: string, path: string, index: number): Conflict[] {
  return examineCommand(machine, path).map(({ problem, remedy }) => ({
    id: `${agent}/sudo/${index}`,
    problem: `${agent} shall run ${path} with sudo: ${problem}`,
    fix: remedy,
  }));
}

function withoutSudo({ name, sudo }: Pick<AgentSetup, "name" | "sudo">): Pick<Wanted, "notes"> {
  return sudo.length === 0
    ? {}
    : { notes: [`${name} has sudo rules, and there is no sudo on this machine: install it, and apply again`] };
}

function companionsOf({ groups }: Pick<AgentSetup, "groups">, humans: readonly HumanSetup[]): string[] {
  return humans
    .filter((human) => human.groups.some((group) => groups.includes(group)))
    .map(({ name }) => name)
    .filter(isNameForSudo);
}
