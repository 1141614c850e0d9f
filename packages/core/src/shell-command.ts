import type { Path } from "./file-system.js";

/**
 * A path as one word for a POSIX shell that is also safe to print on a terminal, whatever somebody put into a name: plain where
 * nothing needs quoting, else 'single quotes', else $'\x1b' (POSIX.1-2024, bash, zsh, ksh, busybox).
 */
export function shellQuote(path: Path): string {
  const text = Buffer.from(path as string).toString("latin1");
  if (/^[A-Za-z0-9_/.@%+=:,][A-Za-z0-9_/.@%+=:,~-]*$/.test(text)) return text;
  if (/^[\x20-\x7e]+$/.test(text)) return `'${text.replaceAll("'", `'\\''`)}'`;
  const escaped = text.replace(/[^\x20-\x7e]|['\\]/g, (character) =>
    character === "'" || character === "\\"
      ? `\\${character}`
      : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return `$'${escaped}'`;
}

/** A command of the system that only root may run, as this process's user would give it. */
export function asRoot(command: string): string {
  return process.geteuid?.() === 0 ? command : `sudo ${command}`;
}

/**
 * A command that its owner must run: in a directory that an account owns, root could be led elsewhere by a link that the account
 * puts in the place of what root is told to change.
 * @param user a name, or "#1001" for a uid without one
 */
export function asUser(user: string, command: string): string {
  return `sudo -u ${shellQuote(user)} ${command}`;
}

/** One of our own commands run by root, whose PATH need not lead to the same Node. */
export function agentbusAsRoot(command: string, settings: readonly string[] = []): string {
  if (process.geteuid?.() === 0) return [...settings, "agentbus", command].join(" ");
  return ["sudo", "env", '"PATH=$PATH"', ...settings, "agentbus", command].join(" ");
}
