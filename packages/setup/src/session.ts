import { BusError } from "@agentbus/core";
import { Ledger } from "./ledger.js";
import type { Account, Machine } from "./machine.js";

/**
 * What starts a login session of an agent: as root through su, so that its groups, limits and clean environment are those of any
 * login; as a human through sudo, whose rules apply has written. On a terminal both make one of its own, so that what runs in it
 * cannot type into ours (TIOCSTI): su by --pty, sudo by use_pty.
 * @param command none: its login shell
 */
export function sessionCommand(
  { flavour, access }: Pick<Machine, "flavour" | "access">,
  { name, shell }: Pick<Account, "name" | "shell">,
  command: readonly string[],
  isTerminal: boolean,
): string[] {
  // Its own shell where that knows -c as sh does.
  const knowsSh = /\/(?:ba|da|k|z|a)?sh$/.test(shell);
  if (access !== "root") {
    if (command.length === 0) return ["sudo", "-n", "-i", "-u", name];
    // Not with -i, whose way of quoting leaves $ as it is, and loses line breaks.
    return [
      "sudo",
      "-n",
      "-u",
      name,
      "--",
      knowsSh ? shell : "/bin/sh",
      "-l",
      "-c",
      'cd && exec "$@"',
      "sh",
      ...command,
    ];
  }
  // With a command, su starts a session without a terminal by itself; without one it never does, whatever its input and output are.
  const pty = (isTerminal || command.length === 0) && flavour.accountTools === "shadow" ? ["--pty"] : [];
  if (command.length === 0) return ["su", ...pty, "-l", name];
  if (flavour.platform === "darwin") return ["su", "-l", name, "-c", 'exec "$@"', "sh", ...command];
  const sh = knowsSh ? [] : ["-s", "/bin/sh"];
  return ["su", ...pty, "-l", ...sh, "-c", 'exec "$@"', "--", name, "sh", ...command];
}

/**
 * An agent that setup looks after.
 * @throws BusError ERR_NOT_FOUND
 */
export async function requireAgent(machine: Machine, name: string): Promise<Account> {
  const entry = Ledger.read(machine).find(`account:${name}`);
  const account = await machine.user(name);
  if (account !== undefined && account.uid === entry?.id) return account;
  throw new BusError("ERR_NOT_FOUND", `there is no agent ${JSON.stringify(name)} that setup has made on this machine`, {
    fix: "agentbus setup list shows them",
  });
}
