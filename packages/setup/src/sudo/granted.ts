/** Something that sudo lets an account do. */
export interface SudoGrant {
  /** "root", "ALL", "root, anna"; with a colon and groups where a group may be chosen: "ALL:ALL". */
  readonly runAs: string;
  /** As sudoers has it, without escapes: `/usr/bin/systemctl restart myapp.service`; `/usr/bin/id ""` takes no arguments. */
  readonly command: string;
  readonly needsPassword: boolean;
  /** Others than that no password is needed, such as "setenv". */
  readonly options: readonly string[];
}

/**
 * Reads the long form of `sudo -l -l -U USER`, which sudo and sudo-rs print alike.
 * @returns undefined when it is no such list, so that nobody takes an error for "nothing"
 */
export function parseGrants(listing: string): SudoGrant[] | undefined {
  if (/ is not allowed to run sudo on /.test(listing)) return [];
  const start = / may run the following commands on .*:\n/.exec(listing);
  if (start === null) return undefined;
  // sudo says "Sudoers entry:", in newer versions with the file; "LDAP Role:" and "SSSD Role:" where rules come from there.
  const entries = listing.slice(start.index + start[0].length).split(/^(?:Sudoers entry|LDAP Role|SSSD Role):.*\n/m);
  return entries.flatMap(parseEntry);
}

/**
 * Settings that apply to the account and let its environment through to what it runs as somebody else, or keep it unseen: in the order
 * in which sudo applies them. sudo-rs does not list them.
 */
export function parseWeakSettings(listing: string): string[] {
  const [, list = ""] = /^Matching Defaults entries for .*:\n\s+(.*)$/m.exec(listing) ?? [];
  const state = new Map<string, string>();
  for (const setting of list.split(/(?<!\\), /)) {
    const [, off = "", name = ""] = /^(!?)([a-z_]+)/.exec(setting) ?? [];
    const isWeak = off === "" ? WEAK_WHEN_SET.has(name) : WEAK_WHEN_UNSET.has(name);
    // A list grows with +=; anything else said about it later replaces what was there.
    if (isWeak) state.set(name, [state.get(name), setting].filter((each) => each !== undefined).join(", "));
    else if (WEAK_WHEN_SET.has(name) || WEAK_WHEN_UNSET.has(name)) state.delete(name);
  }
  return [...state.values()];
}

const WEAK_WHEN_SET: ReadonlySet<string> = new Set([
  "setenv",
  "env_keep",
  "env_file",
  "restricted_env_file",
  "exempt_group",
  "runchroot",
]);
const WEAK_WHEN_UNSET: ReadonlySet<string> = new Set(["env_reset", "use_pty", "log_allowed", "secure_path"]);

function parseEntry(entry: string): SudoGrant[] {
  const users = fieldOf(entry, "RunAsUsers") ?? "root";
  const groups = fieldOf(entry, "RunAsGroups");
  const options = (fieldOf(entry, "Options") ?? "").split(/,\s*/).filter((option) => option !== "");
  const [, commands = ""] = /^\s*Commands:\n((?:[ \t]+\S.*\n?)*)/m.exec(entry) ?? [];
  return commands
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => ({
      runAs: groups === undefined ? users : `${users}:${groups}`,
      command: line.trim().replaceAll(/\\(.)/g, "$1"),
      needsPassword: !options.includes("!authenticate"),
      options: options.filter((option) => option !== "!authenticate"),
    }));
}

function fieldOf(entry: string, name: string): string | undefined {
  return new RegExp(`^\\s+${name}: (.*)$`, "m").exec(entry)?.[1]?.trim();
}
