import fs from "node:fs";
import { resolve } from "node:path";
import type { Flavour } from "./machine.js";
import { quoteWord } from "./plan/shell-word.js";
import { SETUP_FILE } from "./setup-file.js";

/** Where sudo looks for programs, whatever PATH its caller has: its secure_path on Debian, Fedora and most others is a part of this. */
const SECURE_DIRECTORIES = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/**
 * One of our own commands for root, as a person who has not become root for good would give it. sudo does not search that person's PATH,
 * on which agentbus and Node may be all the same.
 */
export function asRootCommand(args: string): string {
  if (isRootForGood()) return `agentbus ${args}`;
  const isFound = ["agentbus", "node"].every((program) =>
    SECURE_DIRECTORIES.some((dir) => isExecutable(`${dir}/${program}`)),
  );
  return isFound ? `sudo agentbus ${args}` : `sudo env "PATH=$PATH" agentbus ${args}`;
}

/** A command of the system for root, as a person who has not become root for good would give it. */
export function asRoot(command: string): string {
  return isRootForGood() ? command : `sudo ${command}`;
}

/** What to do about a thing that is in the way. mv of macOS knows no -T, which keeps it from being moved into a directory of the new name. */
export function moveAway(path: string, { platform }: Pick<Flavour, "platform">): string {
  const words = [platform === "linux" ? "mv -T" : "mv", quoteWord(path), quoteWord(`${path}.old`)];
  return `look at it (ls -ld ${quoteWord(path)}), and move it away: ${asRoot(words.join(" "))}`;
}

/** The argument that names this agentbus.json; "" for the one that is read anyway. With a space before it. */
export function fileArgument(path: string): string {
  return path === resolve(SETUP_FILE) ? "" : ` ${quoteWord(path)}`;
}

function isRootForGood(): boolean {
  return process.geteuid?.() === 0 && process.env["SUDO_USER"] === undefined;
}

function isExecutable(path: string): boolean {
  try {
    fs.accessSync(path, fs.constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
