import { addMemberCommand, membershipOf, renewCommand } from "../membership.js";
import type { ExaminedSpool } from "./examined.js";
import { finding, type Finding } from "./finding.js";

const CHECK = "membership";

/** Whether this process, and the account that it runs as, count as a member of the spool's group; whether anybody does. */
export async function examineGroup(spool: ExaminedSpool): Promise<Finding[]> {
  if (spool.kind === "personal" || spool.group === undefined) return [];
  const { accounts } = spool.machine;
  const gid = await accounts.findGroupId(spool.group);
  if (gid !== spool.gid) return [otherGroup(spool, spool.group, gid)];
  const members = await accounts.membersOf(spool.group);
  if (members.length === 0) return [nobody(spool.group)];
  const { user, uid } = accounts.currentUser();
  const membership = await membershipOf(spool.gid, accounts);
  if (membership === "not yet in force") return [notYet(user, spool.group)];
  if (uid === 0) return [];
  if (membership === "none") return [outside(user, spool.group)];
  return members.includes(user) ? [] : [noLonger(user, spool.group)];
}

function otherGroup(spool: ExaminedSpool, group: string, gid: number | undefined): Finding {
  const now = gid === undefined ? "there is no such group" : `that is gid ${gid}`;
  const message = `spool.json says group ${group}, but ${now}, and the spool belongs to gid ${spool.gid}`;
  return finding("error", CHECK, message, { path: spool.path, fix: spool.initCommand });
}

function nobody(group: string): Finding {
  return finding("warning", CHECK, `group ${group} has no members, so only root can use the bus`, {
    fix: addMemberCommand("NAME", group),
  });
}

function notYet(user: string, group: string): Finding {
  const message = `${user} is in group ${group}, but this process is not: it began before that, and the kernel gives a process its groups at login`;
  return finding("error", CHECK, message, { fix: renewCommand(group) });
}

function outside(user: string, group: string): Finding {
  return finding("error", CHECK, `${user} is not in group ${group}`, { fix: addMemberCommand(user, group) });
}

function noLonger(user: string, group: string): Finding {
  const message = `this process is in group ${group}, but ${user} is not any more: its next process will be shut out`;
  return finding("warning", CHECK, message, { fix: addMemberCommand(user, group) });
}
