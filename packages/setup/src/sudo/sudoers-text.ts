import type { Flavour } from "../machine.js";
import type { AgentSetup } from "../setup.js";
import { FIRST_WITH_SETENV, isSudoRsFrom } from "./sudo-rs-version.js";
import { sudoersCommand } from "./sudoers-words.js";

/** sudoers(5) ignores files with a dot in their names or a tilde at their end; names of agents have neither. */
export function sudoersPath(agent: string, platform: Flavour["platform"]): string {
  return `${platform === "darwin" ? "/private/etc" : "/etc"}/sudoers.d/60-agentbus-${agent}`;
}

/**
 * The whole sudoers file of one agent: what it may do as root or another account, one line for each invocation, and which
 * humans may become it.
 * @throws TypeError for a rule that `lintSudoRule()` refuses for its words
 */
export function sudoersText(
  agent: Pick<AgentSetup, "name" | "sudo">,
  humans: readonly string[],
  flavour: Flavour,
): string {
  const { name, sudo: rules } = agent;
  const lines = [
    "# Managed by agentbus: `agentbus setup apply` writes this file again. Change agentbus.json instead.",
    ...(rules.length === 0 ? [] : ["", ...settingsOf(name, flavour), ...rules.map((rule) => ruleLine(name, rule))]),
    ...(humans.length === 0 ? [] : ["", ...towardsAgent(name, humans, flavour)]),
  ];
  return `${lines.join("\n")}\n`;
}

/**
 * - use_pty: a program of root's in the agent's terminal could otherwise be fed with keystrokes (TIOCSTI), or stay in it.
 * - log_allowed: macOS's own sudoers turns the log of what succeeded off. sudo-rs logs always, and refuses a setting that it does not know.
 * - !setenv and !env_keep: nothing of the agent's environment reaches root; macOS keeps HOME, EDITOR and SSH_AUTH_SOCK. An early sudo-rs
 *   refuses setenv, and has nothing that could turn it on.
 * - timestamp_timeout=0: no ticket of an administrator who typed a password in the same terminal.
 */
function settingsOf(agent: string, { sudo, sudoRsVersion }: Flavour): string[] {
  const isRs = sudo === "sudo-rs";
  const knowsSetenv = !isRs || (sudoRsVersion !== undefined && isSudoRsFrom(sudoRsVersion, FIRST_WITH_SETENV));
  const flags = ["use_pty", ...(isRs ? [] : ["log_allowed"]), ...(knowsSetenv ? ["!setenv"] : []), "!env_keep"];
  return [
    `Defaults:${agent} ${[...flags, "timestamp_timeout=0"].join(", ")}`,
    `Defaults:${agent} secure_path="/usr/sbin:/usr/bin:/sbin:/bin"`,
  ];
}

function ruleLine(agent: string, { command, runAs }: AgentSetup["sudo"][number]): string {
  return `${agent} ALL=(${runAs}) NOPASSWD: ${sudoersCommand(command)}`;
}

/**
 * The safe direction: whoever looks after an agent may become it. A pseudo-terminal keeps the agent's programs from typing into the human's
 * (TIOCSTI), and what leads to the human's things is not handed over.
 */
function towardsAgent(agent: string, humans: readonly string[], { sudo }: Flavour): string[] {
  const flags = sudo === "sudo-rs" ? ["use_pty"] : ["use_pty", "log_allowed"];
  const dropped = "HOME MAIL SSH_AUTH_SOCK EDITOR VISUAL DISPLAY XAUTHORITY XAUTHORIZATION";
  return [
    `Defaults>${agent} ${flags.join(", ")}, env_keep-="${dropped}"`,
    ...humans.map((human) => {
      if (!isNameForSudo(human)) throw new TypeError(`sudo does not read ${JSON.stringify(human)} as an account`);
      return `${human} ALL=(${agent}) NOPASSWD: ALL`;
    }),
  ];
}

/** Whether sudo and sudo-rs take a name for that account: one in capitals would be an alias, and sudo-rs takes none that begins with an underscore. */
export function isNameForSudo(name: string): boolean {
  return /^[A-Za-z][A-Za-z0-9._-]*$/.test(name) && !/^[A-Z][A-Z0-9_]*$/.test(name);
}
