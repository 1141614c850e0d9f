import { shellQuote } from "@agentbus/core";
import type { ProbedAgent } from "./examination.js";
import { asAccount } from "./mend.js";

/** The command that lets a line have the last word in what the agent's login shell reads, given as the agent. */
export async function appendToStartFile(agent: ProbedAgent, line: string): Promise<string> {
  const path = `${agent.account.home}/${await startFileOf(agent)}`;
  return asAccount(agent.name, `sh -c ${shellQuote(`printf '%s\\n' ${shellQuote(line)} >> ${shellQuote(path)}`)}`);
}

/** Takes a directory out of PATH, wherever in it it is. */
export function withoutDirectory(dir: string): string {
  const pattern = dir.replaceAll(/[^A-Za-z0-9_/-]/g, "\\$&");
  return `PATH=$(printf %s ":$PATH:" | sed -e 's,:${pattern}:,:,g' -e 's,::*,:,g' -e 's,^:,,' -e 's,:$,,')`;
}

/** bash reads the first of these, and no other. */
const BASH_FILES = [".bash_profile", ".bash_login", ".profile"];

async function startFileOf({ account, probe }: ProbedAgent): Promise<string> {
  const { shell, home } = account;
  if (shell.endsWith("/zsh")) return ".zprofile";
  if (shell.endsWith("/fish")) return ".config/fish/config.fish";
  if (!shell.endsWith("/bash")) return ".profile";
  for (const name of BASH_FILES) if ((await probe.run("lookAt", `${home}/${name}`)) !== null) return name;
  return ".profile";
}
