import type { Machine } from "../machine.js";

/** One command that sudo lets an account run. */
export interface ListedCommand {
  /** "root", "ALL", "root, anna" */
  readonly runAs: string;
  /** As sudoers writes it, without its escapes: "/usr/bin/systemctl restart myapp.service". */
  readonly command: string;
}

/**
 * All that sudo lets an account do, with a password or without, as root is told (sudo(8): `-ll -U`).
 * @returns undefined when sudo did not say
 */
export async function listSudo(user: string, machine: Machine): Promise<readonly ListedCommand[] | undefined> {
  const { status, stdout, stderr } = await machine.run(["sudo", "-n", "-ll", "-U", user], { timeoutMs: 15_000 });
  const said = stdout + stderr;
  if (/ is not allowed to run sudo /.test(said)) return [];
  return status === 0 && / may run the following commands /.test(said) ? parseListing(stdout) : undefined;
}

/** Entries of the long form: "RunAsUsers: root", then "Commands:" and one command a line, indented. */
export function parseListing(text: string): ListedCommand[] {
  const commands: ListedCommand[] = [];
  let runAs = "root";
  let isCommand = false;
  for (const line of text.split("\n")) {
    if (/^(?:Sudoers|LDAP|SSSD) /.test(line)) [runAs, isCommand] = ["root", false];
    const [, users] = /^\s+RunAsUsers: (.*)$/.exec(line) ?? [];
    if (users !== undefined) runAs = users.trim();
    const [, groups] = /^\s+RunAsGroups: (.*)$/.exec(line) ?? [];
    if (groups !== undefined) runAs = `${runAs}:${groups.trim()}`;
    if (/^\s+Commands:/.test(line)) isCommand = true;
    else if (isCommand && line.trim() !== "") commands.push({ runAs, command: line.trim().replaceAll(/\\(.)/g, "$1") });
    else if (line.trim() === "") isCommand = false;
  }
  return commands;
}
