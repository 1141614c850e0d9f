import fs from "node:fs";
import { userInfo } from "node:os";
import { dirname, resolve } from "node:path";
import { BusError, shellQuote } from "@agentbus/core";
import {
  asRootCommand,
  fileArgument,
  firstSetupText,
  parseSetup,
  readSetupFile,
  requireTrustedFile,
  SETUP_FILE,
  SystemMachine,
  withAgent,
} from "@agentbus/setup";
import { UsageError } from "../failure.js";
import { printLine } from "../output.js";
import type { GlobalOptions } from "../program.js";
import { say } from "../words.js";
import { refuseUnseen } from "./ask.js";
import { applyAction, type ApplyCliOptions } from "./apply.js";

export interface NewOptions {
  readonly human?: string;
  readonly file: string;
}

const DEFAULT_GROUP = "agents";

/** `agentbus setup new` */
export async function newAction(
  agents: readonly string[],
  { human, file, group = DEFAULT_GROUP }: NewOptions & GlobalOptions,
): Promise<void> {
  const text = firstSetupText({ agents, human: human ?? likelyHuman(), group });
  parseSetup(text, file);
  try {
    fs.writeFileSync(file, text, { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw unwritable(file, error);
    const add = `agentbus setup add ${agents[0] ?? "codebot"}${file === SETUP_FILE ? "" : ` --file ${shellQuote(file)}`}`;
    throw new UsageError(`${file} is there already`, `${add} adds to it, or choose another with --file`);
  }
  say(`wrote ${file}; look at it, then: agentbus setup plan${fileArgument(resolve(file))}`);
  await printLine(file);
}

/** `agentbus setup add` */
export async function addAction(agent: string, options: NewOptions & ApplyCliOptions & GlobalOptions): Promise<void> {
  const { file, group } = options;
  const named = `${file === SETUP_FILE ? "" : ` --file ${shellQuote(file)}`}${group === undefined ? "" : ` --group ${shellQuote(group)}`}`;
  refuseUnseen(options, asRootCommand(`setup add ${shellQuote(agent)}${named} --yes --json`));
  await requireTrustedFile(file, await SystemMachine.look());
  if (!fs.existsSync(file)) await newAction([agent], options);
  else if (readSetupFile(file).agents.every(({ name }) => name !== agent)) {
    const text = withAgent(fs.readFileSync(file, "utf8"), agent, group === undefined ? undefined : [group]);
    parseSetup(text, file);
    rewrite(file, text);
    say(`added ${agent} to ${file}`);
  }
  await applyAction(file, options);
}

/** The file keeps its owner and mode. @throws BusError ERR_SETUP_FILE */
export function rewrite(file: string, text: string): void {
  try {
    fs.writeFileSync(file, text);
  } catch (error) {
    throw unwritable(file, error);
  }
}

function unwritable(file: string, error: unknown): BusError {
  const path = resolve(file);
  const errno = (error as NodeJS.ErrnoException).code ?? "";
  const [why, fix] =
    errno === "ENOENT"
      ? ["its directory does not exist", `mkdir -p ${shellQuote(dirname(path))}`]
      : [
          errno === "EACCES" ? "this account may not" : errno,
          `look at it (ls -ld ${shellQuote(dirname(path))} ${shellQuote(path)}), or name another with --file`,
        ];
  return new BusError("ERR_SETUP_FILE", `cannot write ${path}: ${why}`, { path, cause: error, fix });
}

/** Whoever has called sudo, or calls this; nobody for root itself. */
function likelyHuman(): string | undefined {
  const name = process.env["SUDO_USER"] ?? userInfo().username;
  return name === "root" ? undefined : name;
}
