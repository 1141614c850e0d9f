import { shellQuote } from "@agentbus/core";
import type { Machine } from "../machine.js";
import type { ProbedAgent } from "./examination.js";
import { leaveGroup } from "./mend.js";

const BITS = { r: 0o4, w: 0o2 } as const;

/**
 * What keeps an agent from reading or writing something of the system's, by what lets it: that it is the agent's own, a group that
 * the file does not give it, the rights of all, or an access list.
 */
export async function takeAccess(
  path: string,
  right: "r" | "w",
  agent: ProbedAgent,
  machine: Machine,
): Promise<string> {
  const { name, account, gids, wish } = agent;
  const quoted = shellQuote(path);
  const stat = machine.stat(path);
  if (stat === undefined) return `ls -ld ${quoted}`;
  if (stat.isSymbolicLink()) return `rm ${quoted}`; // it leads to what is open to the agent
  if (stat.uid === account.uid) return `chown -h root ${quoted} && chmod go-w ${quoted}`;
  const group = (await machine.groups()).find(({ gid }) => gid === stat.gid)?.name;
  const isByGroup = gids.includes(stat.gid) && ((stat.mode >> 3) & BITS[right]) !== 0;
  if (isByGroup && group !== undefined && group !== name && !wish.groups.includes(group)) {
    return leaveGroup(machine.flavour, name, group);
  }
  // Its group is root's: what may be written there was opened to all alike, and sudo's rules ask for root alone.
  const isRoots = right === "w" && stat.gid === 0 && ((stat.mode >> 3) & BITS.w) !== 0;
  if ((stat.mode & BITS[right]) !== 0) return `chmod ${isRoots ? "go" : "o"}-${right} ${quoted}`;
  // The group's bits are the mask of an access list (acl(5)), so this takes it from all whom the list names.
  if (right === "w" || isByGroup) return `chmod g-${right} ${quoted}`;
  return machine.flavour.platform === "darwin" ? `chmod -N ${quoted}` : `setfacl --remove-all ${quoted}`;
}
