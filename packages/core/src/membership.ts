import fs from "node:fs";
import type { Accounts } from "./accounts.js";
import { BusError } from "./errors.js";
import { agentbusAsRoot, asRoot, shellQuote } from "./shell-command.js";

const USERMOD_PATHS = ["/usr/sbin/usermod", "/sbin/usermod", "/usr/bin/usermod"];

/** How this process stands to a group. */
export type Membership =
  | "in force" // the kernel counts this process as a member
  | "not yet in force" // a member by the group file; the process began before that
  | "none";

export async function membershipOf(gid: number, accounts: Accounts): Promise<Membership> {
  if (process.getegid?.() === gid || process.getgroups?.().includes(gid)) return "in force";
  const group = await accounts.findGroup(gid);
  const members = group === undefined ? [] : await accounts.membersOf(group);
  return members.includes(accounts.currentUser().user) ? "not yet in force" : "none";
}

/** The command that makes a member of an account, by root. */
export function addMemberCommand(user: string, group: string, platform: NodeJS.Platform = process.platform): string {
  if (platform === "darwin") return asRoot(`dseditgroup -o edit -a ${user} -t user ${group}`);
  // Alpine, unless shadow-utils are installed.
  const isBusybox = fs.existsSync("/bin/busybox") && !USERMOD_PATHS.some((path) => fs.existsSync(path));
  return asRoot(isBusybox ? `addgroup ${user} ${group}` : `usermod -aG ${group} ${user}`);
}

/** What makes a membership count that came after the process, or the session, began. */
export function renewCommand(group: string, platform: NodeJS.Platform = process.platform): string {
  return platform === "darwin"
    ? "log out and in again, and restart what was started before"
    : `log out and in again, or for one command: sg ${group} -c 'agentbus status'; a service must be restarted`;
}

/** Why this process cannot use a spool that is there, and what helps. */
export async function noAccess(spoolDir: string, gid: number, accounts: Accounts, cause?: unknown): Promise<BusError> {
  const { user } = accounts.currentUser();
  const group = (await accounts.findGroup(gid)) ?? `gid ${gid}`;
  const options = { path: spoolDir, cause, details: { group, user } };
  switch (await membershipOf(gid, accounts)) {
    case "in force":
      return new BusError(
        "ERR_ACCESS",
        `cannot use the spool ${spoolDir}: its mode, or that of a directory above it, shuts its own group ${group} out`,
        { ...options, fix: agentbusAsRoot(`doctor --spool ${shellQuote(spoolDir)}`) },
      );
    case "not yet in force":
      return new BusError(
        "ERR_ACCESS",
        `cannot use the spool ${spoolDir}: ${user} is in group ${group}, but came into it after this session began, and the kernel gives a process its groups at login`,
        { ...options, fix: renewCommand(group) },
      );
    case "none":
      return new BusError("ERR_ACCESS", `cannot use the spool ${spoolDir}: ${user} is not in group ${group}`, {
        ...options,
        fix: `${addMemberCommand(user, group)}, then log in again`,
      });
  }
}
