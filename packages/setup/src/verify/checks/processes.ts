import type { AgentCheck } from "../check.js";
import { othersThan, type Examination, type ProbedAgent } from "../examination.js";
import type { Trouble } from "../finding.js";
import { throughPrograms, TO_SIGNAL, TO_TRACE } from "../capability-troubles.js";
import { takeOtherUid } from "../mend.js";
import type { Attempt } from "../probe/attempt.js";
import { allowedOf, listed, untriedOf } from "../trials.js";

export const ofProcesses: readonly AgentCheck[] = [
  {
    id: "processes-untouchable",
    sentence: "it cannot signal a process of root, of a human or of another agent",
    async ofAgent(agent, examination) {
      const pids = await targetsFor(agent, examination);
      const attempts = await agent.probe.run("trySignalling", [1, process.pid, ...pids]);
      return [
        ...(await describe(agent, attempts, "signals", examination)),
        ...(await throughPrograms(agent, examination, TO_SIGNAL, "signals processes of others")),
        ...untriedOf(attempts, agent.name),
      ];
    },
  },
  {
    id: "processes-opaque",
    sentence: "it cannot trace a process of root, of a human or of another agent, nor read its environment",
    async ofAgent(agent, examination) {
      if (examination.machine.flavour.platform === "darwin") return undefined; // ps(1) there shows an environment to its account alone
      const pids = await targetsFor(agent, examination);
      const attempts = await agent.probe.run("tryReadingProcesses", [1, process.pid, ...pids]);
      return [
        ...(await describe(agent, attempts, "looks into", examination)),
        ...(await throughPrograms(agent, examination, TO_TRACE, "looks into processes of others")),
        ...untriedOf(attempts, agent.name),
      ];
    },
  },
];

/** An ordinary process of each other account: what runs there anyway may be protected, or nothing. */
async function targetsFor(agent: ProbedAgent, examination: Examination): Promise<number[]> {
  return Promise.all(othersThan(agent, examination).map(({ probe, name }) => probe.run("lendProcess", name)));
}

async function describe(
  { name, account }: ProbedAgent,
  attempts: readonly Attempt[],
  does: string,
  { machine }: Examination,
): Promise<Trouble[]> {
  const done = allowedOf(attempts).map(({ path }) => path);
  if (done.length === 0) return [];
  return [
    {
      severity: "error",
      agent: name,
      message: `${name} ${does} processes of others`,
      evidence: `was allowed: ${listed(done)}`,
      // Both pass between processes of one uid, and from root.
      fix: takeOtherUid(account, machine.flavour, await machine.users()),
    },
  ];
}
