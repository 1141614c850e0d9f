import { spawn } from "node:child_process";
import { constants } from "node:os";
import { listAgents, makeInbox, requireAgent, sessionCommand, SystemMachine } from "@agentbus/setup";
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
  await become(sessionCommand(machine, account, command, process.stdin.isTTY && process.stdout.isTTY));
}

/** With our terminal or pipes. Ctrl-C is for whoever runs there. */
export async function become(argv: readonly string[]): Promise<void> {
  const [program = "", ...args] = argv;
  for (const signal of ["SIGINT", "SIGQUIT"] as const) process.on(signal, () => undefined);
  const child = spawn(program, args, { stdio: "inherit" });
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
export async function logsAction(_agent: string, _options: unknown): Promise<void> {
  throw new Error("not wired");
}
export async function sudoCheckAction(_agent: string, _file: string, _options: unknown): Promise<void> {
  throw new Error("not wired");
}
