import { shellQuote } from "@agentbus/core";
import type { AgentCheck } from "../check.js";
import type { Examination, ProbedAgent } from "../examination.js";
import type { Trouble } from "../finding.js";
import { leaveGroup, takeWriting } from "../mend.js";
import { placesOfSystem } from "../places-of-system.js";
import { allowedOf, untriedOf } from "../trials.js";

export const ofSystem: readonly AgentCheck[] = [
  {
    id: "system-secrets-closed",
    sentence: "it reads neither passwords nor keys of the system, nor what is root's",
    async ofAgent(agent, examination) {
      const attempts = await agent.probe.run("tryReading", placesOfSystem(examination.machine.flavour).secrets);
      const troubles = await Promise.all(
        allowedOf(attempts).map(async ({ path }): Promise<Trouble> => ({
          severity: "error",
          agent: agent.name,
          message: `${agent.name} reads ${path}`,
          evidence: `opened ${path} for reading`,
          fix: await takeReading(path, agent, examination),
        })),
      );
      return [...troubles, ...untriedOf(attempts, agent.name)];
    },
  },
  {
    id: "system-unwritable",
    sentence: "it writes to no file or directory that the system runs or believes",
    async ofAgent({ name, account, probe }, { machine }) {
      const attempts = await probe.run("tryWriting", placesOfSystem(machine.flavour).trusted);
      const path = (process.env["PATH"] ?? "").split(":").filter((dir) => dir.startsWith("/"));
      const dirs = [...new Set([...placesOfSystem(machine.flavour).filledDirs, ...path])].filter(
        (dir) => !dir.startsWith(`${account.home}/`),
      );
      attempts.push(...(await probe.run("tryWriting", dirs)));
      const files = await probe.run("writableFilesIn", dirs);
      const open = [...new Set([...allowedOf(attempts).map((each) => each.path), ...files])];
      const troubles = open.map((each): Trouble => ({
        severity: "error",
        agent: name,
        message: `${name} can change what the system runs or believes: ${each}`,
        evidence: `the kernel lets it write to ${each}`,
        fix: takeWriting(each, machine.stat(each), account.uid),
      }));
      return [...troubles, ...untriedOf(attempts, name)];
    },
  },
  {
    id: "roots-hands-out-of-reach",
    sentence: "it reaches no daemon, disk or memory through which it would be root",
    async ofAgent(agent, examination) {
      const places = placesOfSystem(examination.machine.flavour).rootsHands;
      const attempts = await agent.probe.run("tryWriting", places);
      const troubles = await Promise.all(
        allowedOf(attempts).map(async ({ path }): Promise<Trouble> => ({
          severity: "error",
          agent: agent.name,
          message: `${agent.name} is root in disguise through ${path}`,
          evidence: `the kernel lets it write to ${path}`,
          fix: await takeReading(path, agent, examination),
        })),
      );
      return [...troubles, ...untriedOf(attempts, agent.name)];
    },
  },
];

/** What is open to a group on purpose is closed for the agent by leaving that group; the rest is open to everybody. */
async function takeReading(
  path: string,
  { name, account, gids }: ProbedAgent,
  { machine }: Examination,
): Promise<string> {
  const stat = machine.stat(path);
  if (stat === undefined) return `ls -ld ${shellQuote(path)}`;
  if (stat.uid === account.uid) return `chown root ${shellQuote(path)} && chmod go-rwx ${shellQuote(path)}`;
  const group = (await machine.groups()).find(({ gid }) => gid === stat.gid);
  if ((stat.mode & 0o060) !== 0 && gids.includes(stat.gid) && group !== undefined && group.name !== name) {
    return leaveGroup(machine.flavour, name, group.name);
  }
  if ((stat.mode & 0o006) !== 0) return `chmod o-rwx ${shellQuote(path)}`;
  return machine.flavour.platform === "darwin"
    ? `chmod -N ${shellQuote(path)}`
    : `setfacl --remove-all ${shellQuote(path)}`;
}
