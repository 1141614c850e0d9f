import {
  hasErrors,
  readSetupFile,
  renderVerdict,
  runProbe,
  SystemMachine,
  verdictRecords,
  verify,
} from "@agentbus/setup";
import { painterFor } from "../colour.js";
import { UsageError } from "../failure.js";
import { printLine } from "../output.js";
import { toJson } from "../printable.js";
import type { GlobalOptions } from "../program.js";
import { ownCommand } from "./progress.js";

const COLOURS = { ok: "green", error: "red", warning: "yellow", info: "dim" } as const;
const MAX_COLUMNS = 100;

/** `agentbus setup verify` */
export async function verifyAction(file: string, { json = false }: GlobalOptions): Promise<void> {
  const verdict = await verify(readSetupFile(file), await SystemMachine.look(), { agentbus: ownCommand() });
  const paint = painterFor(process.stdout);
  const columns = Math.min(process.stdout.columns ?? MAX_COLUMNS, MAX_COLUMNS);
  const lines = json
    ? verdictRecords(verdict).map(toJson)
    : renderVerdict(verdict, { columns, paint: (kind, text) => paint(COLOURS[kind], text) });
  for (const line of lines) await printLine(line);
  if (hasErrors(verdict)) process.exitCode = 1;
}

/** `agentbus setup probe`, which verify starts for each account. */
export async function probeAction(name: string, uid: string, gid: string): Promise<void> {
  if (process.send === undefined) throw new UsageError("probe is a part of verify", "sudo agentbus setup verify");
  await runProbe({ name, uid: Number(uid), gid: Number(gid) });
}
