import { shellQuote } from "@agentbus/core";
import {
  asRootCommand,
  closeHome,
  isClean,
  openHomes,
  readSetupFile,
  renderVerdict,
  requireTrustedFile,
  runProbe,
  SystemMachine,
  verdictRecords,
  verify,
  type Machine,
  type Setup,
} from "@agentbus/setup";
import { painterFor } from "../colour.js";
import { UsageError } from "../failure.js";
import { printLine } from "../output.js";
import { toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { say } from "../words.js";
import { ask } from "./ask.js";
import { ownCommand } from "./progress.js";

const COLOURS = { ok: "green", error: "red", warning: "yellow", info: "dim" } as const;
const MAX_COLUMNS = 100;

/** `agentbus setup verify` */
export async function verifyAction(file: string, { json = false }: GlobalOptions): Promise<void> {
  const machine = await SystemMachine.look();
  await requireTrustedFile(file, machine);
  const setup = readSetupFile(file);
  const verdict = await verify(setup, machine, { agentbus: ownCommand() });
  const paint = painterFor(process.stdout);
  const columns = Math.min(process.stdout.columns ?? MAX_COLUMNS, MAX_COLUMNS);
  const lines = json
    ? verdictRecords(verdict).map(toJson)
    : renderVerdict(verdict, { columns, paint: (kind, text) => paint(COLOURS[kind], text) });
  for (const line of lines) await printLine(line);
  if (!isClean(verdict)) process.exitCode = 1;
  if (!json && process.stdin.isTTY && process.stdout.isTTY) await offerToClose(setup, machine);
}

/** A person's home is not setup's to change, so somebody is asked. */
async function offerToClose(setup: Setup, machine: Machine): Promise<void> {
  for (const home of await openHomes(setup, machine)) {
    const mode = home.mode.toString(8).padStart(4, "0");
    const question = `${home.path} has mode ${mode}, so that agents can look into it. Close it to all but ${home.human}?`;
    if (!(await ask(question, `chmod go-rwx ${shellQuote(home.path)}`))) continue;
    await closeHome(machine, home);
    say(`closed ${home.path}; agentbus setup remove --all gives it mode ${mode} again`);
  }
}

/** `agentbus setup probe`, which verify starts for each account. */
export async function probeAction(name: string, uid: string, gid: string): Promise<void> {
  if (process.send === undefined) throw new UsageError("probe is a part of verify", asRootCommand("setup verify"));
  await runProbe({ name, uid: Number(uid), gid: Number(gid) });
}
