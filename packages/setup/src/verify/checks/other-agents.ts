import type { AgentCheck } from "../check.js";
import type { Trouble } from "../finding.js";
import { closeToOthers } from "../mend.js";
import { allowedOf, listed, untriedOf } from "../trials.js";

export const ofOtherAgents: readonly AgentCheck[] = [
  {
    id: "agent-homes-closed",
    sentence: "it cannot enter, list or change the home of another agent",
    async ofAgent(agent, { agents }) {
      if (agents.length < 2) return undefined;
      const troubles: Trouble[] = [];
      for (const other of agents.filter(({ name }) => name !== agent.name)) {
        const { home } = other.account;
        const attempts = [
          ...(await agent.probe.run("tryEntering", [home])),
          ...(await agent.probe.run("tryReading", [home])),
          ...(await agent.probe.run("tryWriting", [home])),
        ];
        troubles.push(...untriedOf(attempts, agent.name));
        const can = ["enter", "list", "write to"].filter((_, index) => attempts[index]?.outcome === "allowed");
        if (can.length === 0) continue;
        troubles.push({
          severity: "error",
          agent: agent.name,
          message: `the home of ${other.name} is open to others`,
          evidence: `${agent.name} could ${can.join(", ")} ${home}`,
          fix: closeToOthers(home),
        });
      }
      return troubles;
    },
  },
  {
    id: "agent-secrets-closed",
    sentence: "it reads no environment file, key or credential of another agent",
    async ofAgent(agent, { agents }) {
      if (agents.length < 2) return undefined;
      const troubles: Trouble[] = [];
      for (const other of agents.filter(({ name }) => name !== agent.name)) {
        const { home } = other.account;
        const names = [other.wish.environmentFile, ".ssh", ".netrc", ".git-credentials", ".npmrc", ".env"];
        const attempts = await agent.probe.run(
          "tryReading",
          [...names, ".claude.json", ".claude/.credentials.json", ".codex/auth.json"].map((name) => `${home}/${name}`),
        );
        troubles.push(...untriedOf(attempts, agent.name));
        const opened = allowedOf(attempts).map(({ path }) => path);
        if (opened.length === 0) continue;
        troubles.push({
          severity: "error",
          agent: agent.name,
          message: `secrets of ${other.name} can be read`,
          evidence: `${agent.name} opened for reading: ${listed(opened)}`,
          fix: closeToOthers(home),
        });
      }
      return troubles;
    },
  },
];
