import { BusError, openBus } from "@agentbus/core";
import { requireRoot } from "./apply/apply.js";
import type { Machine } from "./machine.js";
import { spoolDirOf } from "./spool-place.js";
import { become } from "./system/become.js";
import { rehearseBus } from "./system/rehearse-bus.js";

/**
 * Makes an account's inbox in a group's spool, as that account: this process becomes it, for good, and opens the bus. What is
 * needed for that is loaded before, since the account need not be able to read where we are installed.
 * @throws BusError ERR_ACCESS (needs root), ERR_ACCOUNT, and what openBus throws
 */
export async function makeInbox(machine: Machine, name: string, group: string): Promise<void> {
  requireRoot(machine, `inbox ${name} --group ${group}`);
  const account = await machine.user(name);
  const gid = (await machine.group(group))?.gid;
  if (account === undefined || gid === undefined || account.uid === 0) {
    throw new BusError("ERR_ACCOUNT", `cannot make an inbox: there is no account ${name}, or no group ${group}`, {
      fix: "agentbus setup apply makes both",
    });
  }
  // Of root's environment nothing may lead the bus elsewhere.
  for (const variable of Object.keys(process.env)) {
    if (/^(?:AGENTBUS_|XDG_)/.test(variable)) delete process.env[variable];
  }
  process.env["HOME"] = account.home;
  await rehearseBus();
  become(account);
  const bus = await openBus({ spool: spoolDirOf(group) });
  await bus.close();
}
