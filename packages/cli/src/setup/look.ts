import { spawn } from "node:child_process";
import { constants } from "node:os";
import { BusError } from "@agentbus/core";
import {
  asRootCommand,
  fileArgument,
  giveBackHome,
  isSudoAsWanted,
  listAgents,
  logsCommand,
  makeInbox,
  readSetupFile,
  requireAgent,
  sessionCommand,
  sudoCheck,
  sudoCheckText,
  supplementaryGroups,
  SystemMachine,
} from "@agentbus/setup";
import { UsageError } from "../failure.js";
import { printLine } from "../output.js";
import { printable, toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { formatTable } from "../table.js";
import { say } from "../words.js";

/** `agentbus setup list` */
export async function listAction({ json }: GlobalOptions): Promise<void> {
  const { agents } = await listAgents(await SystemMachine.look());
  if (json === true) {
    for (const agent of agents) await printLine(toJson(agent));
    return;
  }
  if (agents.length === 0) return say("setup has made no agents on this machine: agentbus setup new codebot");
  const rows = agents.map(({ name, uid, groups, processes, home, adopted }) => [
    name,
    uid ?? "gone",
    groups.join(",") || "-",
    processes,
    printable(home ?? "-"),
    adopted ? "adopted" : "made",
  ]);
  for (const line of formatTable(["AGENT", "UID", "GROUPS", "PROCESSES", "HOME", "ACCOUNT"], rows))
    await printLine(line);
}

/** `agentbus setup shell` and `run`: this process ends as the other does. */
export async function sessionAction(name: string, command: readonly string[]): Promise<void> {
  const machine = await SystemMachine.look();
  const account = await requireAgent(machine, name);
  const argv = sessionCommand(machine, account, command, process.stdin.isTTY && process.stdout.isTTY);
  await become(argv, environmentOfSession());
}

/**
 * What su and sudo may know of ours: su clears the rest away too, and sudo most of it, but not PS1, KRB5CCNAME and what else somebody's
 * sudoers keeps.
 */
function environmentOfSession(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => /^(?:PATH|TERM|COLORTERM|TZ|LANG|LC_[A-Z]+)$/.test(name));
  return Object.fromEntries(own);
}

/** With our terminal or pipes, and not where we are, which the agent may not enter. Ctrl-C is for whoever runs there. */
async function become(argv: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const [program = "", ...args] = argv;
  for (const signal of ["SIGINT", "SIGQUIT"] as const) process.on(signal, () => undefined);
  const child = spawn(program, args, { stdio: "inherit", cwd: "/", env });
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(code ?? 128 + (constants.signals[signal ?? "SIGKILL"] ?? 0)));
  });
}

/** `agentbus setup inbox`, a step of apply */
export async function inboxAction(account: string, { group }: GlobalOptions): Promise<void> {
  if (group === undefined) throw new UsageError("inbox needs --group", "agentbus setup inbox codebot --group agents");
  await makeInbox(await SystemMachine.look(), account, group);
}
/** `agentbus setup give-back`, a step of remove. */
export async function giveBackAction(account: string): Promise<void> {
  const notes: string[] = [];
  await giveBackHome(await SystemMachine.look(), account, (note) => void notes.push(note));
  for (const note of notes) await printLine(printable(note));
}

/** `agentbus setup logs` */
export async function logsAction(
  name: string,
  { follow = false, lines }: { readonly follow?: boolean; readonly lines: number },
): Promise<void> {
  const machine = await SystemMachine.look();
  await requireAgent(machine, name);
  const command = logsCommand(name, machine.flavour, { lines, follow });
  if (command === undefined) {
    throw new BusError("ERR_PLATFORM", `cannot show logs of ${name}: no service manager keeps them on this machine`, {
      fix: `agentbus setup run ${name} -- COMMAND prints on this terminal`,
    });
  }
  await become(command);
}

/** `agentbus setup sudo-check` */
export async function sudoCheckAction(name: string, file: string, { json = false }: GlobalOptions): Promise<void> {
  const { agents, path } = readSetupFile(file);
  const agent = agents.find((each) => each.name === name);
  if (agent === undefined) {
    const known = agents.map((each) => each.name).join(", ");
    throw new UsageError(
      `there is no agent ${JSON.stringify(name)} in ${file}`,
      known === "" ? `agentbus setup add ${name}` : `choose of ${known}`,
    );
  }
  const machine = await SystemMachine.look();
  const check = await sudoCheck(machine, agent, [name, ...(await supplementaryGroups(machine, name))]);
  if (check === undefined) {
    throw new BusError("ERR_ACCESS", `cannot ask sudo what ${name} may do: only root may ask for another`, {
      fix: asRootCommand(`setup sudo-check ${name}${fileArgument(path)}`),
    });
  }
  if (json) await printLine(toJson(check));
  else for (const line of sudoCheckText(check)) await printLine(printable(line));
  if (!isSudoAsWanted(check)) process.exitCode = 1;
}
