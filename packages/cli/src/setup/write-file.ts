import fs from "node:fs";
import { userInfo } from "node:os";
import {
  firstSetupText,
  parseSetup,
  readSetupFile,
  requireTrustedFile,
  SystemMachine,
  withAgent,
} from "@agentbus/setup";
import { UsageError } from "../failure.js";
import { printLine } from "../output.js";
import type { GlobalOptions } from "../program.js";
import { say } from "../words.js";
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
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new UsageError(
      `${file} is there already`,
      `agentbus setup add ${agents[0] ?? "codebot"} adds to it, or choose another with --file`,
    );
  }
  say(`wrote ${file}; look at it, then: agentbus setup plan${file === "agentbus.json" ? "" : ` ${file}`}`);
  await printLine(file);
}

/** `agentbus setup add` */
export async function addAction(agent: string, options: NewOptions & ApplyCliOptions & GlobalOptions): Promise<void> {
  const { file, group } = options;
  await requireTrustedFile(file, await SystemMachine.look());
  if (!fs.existsSync(file)) await newAction([agent], options);
  else if (readSetupFile(file).agents.every(({ name }) => name !== agent)) {
    const text = withAgent(fs.readFileSync(file, "utf8"), agent, group === undefined ? undefined : [group]);
    parseSetup(text, file);
    fs.writeFileSync(file, text);
    say(`added ${agent} to ${file}`);
  }
  await applyAction(file, options);
}

/** Whoever has called sudo, or calls this; nobody for root itself. */
function likelyHuman(): string | undefined {
  const name = process.env["SUDO_USER"] ?? userInfo().username;
  return name === "root" ? undefined : name;
}
