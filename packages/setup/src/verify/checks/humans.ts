import { octal, shellQuote } from "@agentbus/core";
import type { AgentCheck } from "../check.js";
import type { Examination, ProbedAgent, ProbedHuman } from "../examination.js";
import type { Trouble } from "../finding.js";
import { closeToOthers } from "../mend.js";
import { dotfilesIn, secretsIn, startFilesIn } from "../places-of-humans.js";
import type { Attempt } from "../probe/attempt.js";
import { allowedOf, listed, untriedOf } from "../trials.js";

export const ofHumans: readonly AgentCheck[] = [
  {
    id: "human-home-closed",
    sentence: "it cannot enter or list the home of a human",
    ofAgent: ofEachHuman(async (agent, human, { machine }) => {
      const { home } = human.account;
      const attempts = [
        ...(await agent.probe.run("tryEntering", [home])),
        ...(await agent.probe.run("tryReading", [home])),
      ];
      if (allowedOf(attempts).length === 0) return untriedOf(attempts, agent.name);
      return [openHome(agent, human, attempts, machine.stat(home)?.mode ?? 0)];
    }),
  },
  {
    id: "human-secrets-closed",
    sentence: "it reads no key, credential, browser profile, keychain or .env file of a human",
    ofAgent: ofEachHuman(async (agent, human, { envFiles }) => {
      const { home } = human.account;
      const { paths, isComplete } = envFiles.get(human.name) ?? { paths: [], isComplete: false };
      const attempts = await agent.probe.run("tryReading", [...secretsIn(home), ...paths]);
      const opened = allowedOf(attempts).map(({ path }) => path);
      const unsearched = isComplete ? [] : [notSearched(agent, human)];
      if (opened.length === 0) return [...untriedOf(attempts, agent.name), ...unsearched];
      return [
        ...unsearched,
        {
          severity: "error",
          agent: agent.name,
          message: `secrets of ${human.name} can be read`,
          evidence: `${agent.name} opened for reading: ${listed(opened)}`,
          fix: closeToOthers(home),
        },
      ];
    }),
  },
  {
    id: "human-dotfiles-closed",
    sentence: "it reads no dotfile of a human",
    ofAgent: ofEachHuman(async (agent, human) => {
      const { home } = human.account;
      const attempts = await agent.probe.run("tryReading", dotfilesIn(home));
      const opened = allowedOf(attempts).map(({ path }) => path);
      if (opened.length === 0) return untriedOf(attempts, agent.name);
      return [
        {
          severity: "warning",
          agent: agent.name,
          message: `dotfiles of ${human.name} can be read`,
          evidence: `${agent.name} opened for reading: ${listed(opened)}`,
          fix: closeToOthers(home),
        },
      ];
    }),
  },
  {
    id: "human-files-unwritable",
    sentence: "it writes to nothing of a human that runs as the human",
    ofAgent: ofEachHuman(async (agent, human) => {
      const { home } = human.account;
      const attempts = await agent.probe.run("tryWriting", [home, ...startFilesIn(home)]);
      const writable = allowedOf(attempts).map(({ path }) => path);
      if (writable.length === 0) return untriedOf(attempts, agent.name);
      return [
        {
          severity: "error",
          agent: agent.name,
          message: `what ${human.name} runs can be changed`,
          evidence: `${agent.name} may write to ${listed(writable)}`,
          fix: closeToOthers(home),
        },
      ];
    }),
  },
];

type OfOneHuman = (agent: ProbedAgent, human: ProbedHuman, examination: Examination) => Promise<Trouble[]>;

function ofEachHuman(examine: OfOneHuman): AgentCheck["ofAgent"] {
  return async (agent, examination) => {
    if (examination.humans.length === 0) return undefined;
    const troubles = examination.humans.map((human) => examine(agent, human, examination));
    return (await Promise.all(troubles)).flat();
  };
}

function notSearched({ name }: ProbedAgent, { name: human, account }: ProbedHuman): Trouble {
  return {
    severity: "warning",
    agent: name,
    message: `not all .env files of ${human} could be tried`,
    evidence: "the search for them did not finish",
    fix: `find ${shellQuote(account.home)} -name '.env*' -perm /077 -ls`,
  };
}

/** Open to everybody is what Debian does by default; open to this agent alone is something that somebody did. */
function openHome(
  agent: ProbedAgent,
  { name, account }: ProbedHuman,
  tried: readonly Attempt[],
  mode: number,
): Trouble {
  const isOpenToAll = (mode & 0o005) !== 0;
  const [enters, lists] = tried.map(({ outcome }) => outcome === "allowed");
  const can = [...(enters ? ["enter"] : []), ...(lists ? ["list"] : [])].join(" and ");
  return {
    severity: isOpenToAll ? "warning" : "error",
    agent: agent.name,
    message: `the home of ${name} is open to ${isOpenToAll ? "all accounts" : agent.name}`,
    evidence: `${agent.name} could ${can} ${shellQuote(account.home)}, whose mode is ${octal(mode)}`,
    fix: closeToOthers(account.home),
  };
}
