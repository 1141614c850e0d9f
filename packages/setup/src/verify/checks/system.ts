import type { AgentCheck } from "../check.js";
import type { ProbedAgent } from "../examination.js";
import type { Trouble } from "../finding.js";
import { throughPrograms, TO_BE_ROOT } from "../capability-troubles.js";
import { placesOfSystem } from "../places-of-system.js";
import { takeAccess } from "../take-access.js";
import { allowedOf, untriedOf } from "../trials.js";

export const ofSystem: readonly AgentCheck[] = [
  {
    id: "system-secrets-closed",
    sentence: "it reads neither passwords nor keys of the system, nor what is root's",
    async ofAgent(agent, { machine }) {
      const attempts = await agent.probe.run("tryReading", placesOfSystem(machine.flavour).secrets);
      const troubles = allowedOf(attempts).map(async ({ path }) =>
        trouble(agent, `${path} can be read`, "opened it for reading", await takeAccess(path, "r", agent, machine)),
      );
      return [...(await Promise.all(troubles)), ...untriedOf(attempts, agent.name)];
    },
  },
  {
    id: "system-unwritable",
    sentence: "it writes to no file or directory that the system runs or believes",
    async ofAgent(agent, { machine }) {
      const { name, account, probe } = agent;
      const { trusted, filledDirs } = placesOfSystem(machine.flavour);
      const rootsPath = (process.env["PATH"] ?? "").split(":").filter((dir) => dir.startsWith("/"));
      const dirs = [...new Set([...filledDirs, ...rootsPath])].filter((dir) => !dir.startsWith(`${account.home}/`));
      const attempts = await probe.run("tryWriting", [...trusted, ...dirs]);
      const files = await probe.run("writableFilesIn", dirs);
      const open = new Set([...allowedOf(attempts).map((each) => each.path), ...files]);
      const troubles = [...open].map(async (path) => {
        const message = `${path} can be changed, which the system runs or believes`;
        return trouble(agent, message, "may write to it", await takeAccess(path, "w", agent, machine));
      });
      return [...(await Promise.all(troubles)), ...untriedOf(attempts, name)];
    },
  },
  {
    id: "roots-hands-out-of-reach",
    sentence: "it reaches no daemon, disk, memory or program through which it would be root",
    async ofAgent(agent, examination) {
      const { machine, capable } = examination;
      const attempts = await agent.probe.run("tryWriting", placesOfSystem(machine.flavour).rootsHands);
      const troubles = allowedOf(attempts).map(async ({ path }) => {
        const message = `who writes to ${path} is root in disguise`;
        return trouble(agent, message, "may write to it", await takeAccess(path, "w", agent, machine));
      });
      return [
        ...(await Promise.all(troubles)),
        ...(await throughPrograms(agent, examination, TO_BE_ROOT, "has rights of root's")),
        ...untriedOf(attempts, agent.name),
        ...(capable.gap === undefined ? [] : [notSearched(agent, capable.gap)]),
      ];
    },
  },
];

function notSearched({ name }: ProbedAgent, gap: { readonly evidence: string; readonly fix: string }): Trouble {
  const message = "it is not known which programs have capabilities, and so let it signal, trace or be root";
  return { severity: "warning", agent: name, message, ...gap };
}

function trouble({ name }: ProbedAgent, message: string, did: string, fix: string): Trouble {
  return { severity: "error", agent: name, message, evidence: `${name} ${did}`, fix };
}
