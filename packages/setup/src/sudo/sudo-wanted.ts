import type { Wanted } from "../plan/change.js";
import type { Flavour } from "../machine.js";
import type { AgentSetup, HumanSetup } from "../setup.js";
import { sudoersPath, sudoersText } from "./sudoers-text.js";

/**
 * The sudoers file of one agent. It is looked at before it counts (`visudo -O -P`: also its owner and mode), and once more with
 * everything else in sudoers.
 * @param humans who may become the agent: those of agentbus.json who share a group with it
 */
export function sudoWanted(
  agent: Pick<AgentSetup, "name" | "groups" | "sudo">,
  humans: readonly HumanSetup[],
  flavour: Flavour,
): Wanted {
  const companions = companionsOf(agent, humans);
  if (flavour.sudo === "none" || (agent.sudo.length === 0 && companions.length === 0))
    return { files: [], commands: [] };
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
  };
}

function companionsOf({ groups }: Pick<AgentSetup, "groups">, humans: readonly HumanSetup[]): string[] {
  return humans.filter((human) => human.groups.some((group) => groups.includes(group))).map(({ name }) => name);
}
