import { octal, shellQuote } from "@agentbus/core";
import type { AgentCheck } from "../check.js";
import type { ProbedAgent } from "../examination.js";
import type { Trouble } from "../finding.js";
import { asAccount } from "../mend.js";
import { appendToStartFile, withoutDirectory } from "../start-file.js";

const MAX_DIRECTORIES = 100;

/** What a login of the agent gets, from its own start files. */
export const ofLogin: readonly AgentCheck[] = [
  {
    id: "login-umask",
    sentence: "what its login shell makes is closed to others, as the file says",
    async ofAgent(agent) {
      const { name, wish, account, probe } = agent;
      const { umask, failure } = await probe.run("startLoginShell", account.shell, account.home, name);
      if (umask === undefined) {
        const evidence = `started ${account.shell} as a login shell: ${failure ?? "no answer"}`;
        const fix = asAccount(name, `${shellQuote(account.shell)} -l -c umask`);
        return [{ severity: "warning", agent: name, message: `the umask of ${name} is not known`, evidence, fix }];
      }
      if ((wish.umask & ~umask) === 0) return [];
      const message = `what ${name} makes is open to others`;
      const evidence = `its login shell has the umask ${octal(umask)}, and the file says ${octal(wish.umask)}`;
      const fix = await appendToStartFile(agent, `umask ${octal(wish.umask).slice(1)}`);
      return [{ severity: "error", agent: name, message, evidence, fix }];
    },
  },
  {
    id: "login-path-closed",
    sentence: "no other agent can put programs into the directories of its PATH",
    async ofAgent(agent, { agents }) {
      const { name, account, probe } = agent;
      const { path } = await probe.run("startLoginShell", account.shell, account.home, name);
      if (path === undefined) return undefined; // login-umask says why
      const others = agents.filter((each) => each.name !== name);
      const dirs = [...new Set(path)].slice(0, MAX_DIRECTORIES);
      const troubles = await Promise.all(dirs.map((dir) => tryDirectory(dir, agent, others)));
      return troubles.flat();
    },
  },
];

async function tryDirectory(dir: string, agent: ProbedAgent, others: readonly ProbedAgent[]): Promise<Trouble[]> {
  const fix = await appendToStartFile(agent, withoutDirectory(dir));
  const { name } = agent;
  if (!dir.startsWith("/")) {
    const message = `${name} runs programs of whatever directory it is in`;
    const evidence = `its PATH holds ${dir === "" ? "an empty entry" : shellQuote(dir)}`;
    return [{ severity: "warning", agent: name, message, evidence, fix }];
  }
  const able: string[] = [];
  for (const other of others) {
    const [attempt] = await other.probe.run("tryWriting", [dir]);
    if (attempt?.outcome === "allowed") able.push(other.name);
  }
  if (able.length === 0) return [];
  const message = `${able.join(", ")} can put programs into the PATH of ${name}`;
  return [{ severity: "error", agent: name, message, evidence: `may write to ${shellQuote(dir)}`, fix }];
}
