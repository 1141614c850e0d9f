/** Commands that mend, for root to give. */
import { shellQuote } from "@agentbus/core";
import type { Account, Flavour } from "../machine.js";
import type { Setup } from "../setup.js";
import { initArguments } from "../spool-place.js";

/** What agentbus itself brings back to what the file says. */
export function applyCommand(setup: Setup): string {
  return `agentbus setup apply ${shellQuote(setup.path)}`;
}

export function planCommand(setup: Setup): string {
  return `agentbus setup plan ${shellQuote(setup.path)}`;
}

/** What brings back the owners and modes of a spool's own directories. */
export function repairCommand(group: string): string {
  return ["agentbus", ...initArguments(group)].join(" ");
}

/** In a directory of an account, root could be led elsewhere by a link that the account puts there. */
export function asAccount(user: string, command: string): string {
  return `sudo -u ${shellQuote(user)} ${command}`;
}

export function leaveGroup({ accountTools }: Flavour, user: string, group: string): string {
  const [name, from] = [shellQuote(user), shellQuote(group)];
  if (accountTools === "directory-service") return `dseditgroup -o edit -d ${name} -t user ${from}`;
  return accountTools === "busybox" ? `delgroup ${name} ${from}` : `gpasswd -d ${name} ${from}`;
}

/** Takes all rights from everybody but the owner; an access list too, whose mask the group's bits are (acl(5)). */
export function closeToOthers(path: string): string {
  return `chmod go-rwx ${shellQuote(path)}`;
}

/**
 * Gives an account a file in its home that is not its own, if it is a file of that home: its path may lead through a link of the account to
 * a program of root's. find(1) enters no link, and changes the file in its directory.
 */
export function giveFileInHome(path: string, { name, home }: Account): string {
  const only = `-path ${shellQuote(path)} -type f -links 1`;
  return `find -P ${shellQuote(home)} -xdev ${only} -execdir chown -h ${shellQuote(name)} {} +`;
}

/** In a home, find(1) enters no link, and changes the file in its directory. */
export function takeCapabilities(path: string, homes: readonly string[]): string {
  const home = homes.find((each) => path.startsWith(`${each}/`));
  if (home === undefined) return `setcap -r ${shellQuote(path)}`;
  return `find -P ${shellQuote(home)} -xdev -path ${shellQuote(literal(path))} -type f -execdir setcap -r {} \\;`;
}

/** As a pattern of find(1) that stands for itself. */
export function literal(path: string): string {
  return path.replaceAll(/[*?[\\]/g, "\\$&");
}

const FIRST_UID = 1_000;
const LAST_UID = 60_000;

/**
 * Gives an account a uid of its own, and what is in its home with it. Not with usermod(8), which refuses while processes of the old uid
 * run, and of root's there are always some. find(1) changes each file in its directory, so that no link leads it elsewhere.
 * @param ownUid which it had when setup made it
 */
export function takeOtherUid(
  { name, uid, home }: Account,
  { platform }: Flavour,
  users: readonly Account[],
  ownUid?: number,
): string {
  // Whoever keeps the directory that it is from has to give it another one.
  if (platform === "linux" && !users.some((user) => user.name === name)) return `getent passwd -- ${shellQuote(name)}`;
  const used = users.map((user) => user.uid);
  const next = Math.max(FIRST_UID, ...used.filter((each) => each < LAST_UID)) + 1;
  const free = ownUid !== undefined && !used.includes(ownUid) ? ownUid : next;
  const change =
    platform === "darwin"
      ? `dscl . -change /Users/${shellQuote(name)} UniqueID ${uid} ${free}`
      : `sed -i ${shellQuote(`s/^${name}:\\([^:]*\\):${uid}:/${name}:\\1:${free}:/`)} /etc/passwd`;
  return `${change} && find -P ${shellQuote(home)} -xdev -uid ${uid} -execdir chown -h ${free} {} +`;
}
