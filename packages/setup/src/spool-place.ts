export const SPOOLS_DIR = "/var/spool/agentbus";

/** Where setup makes the spool of a group, or a directory of it. @param name relative to the spool */
export function spoolDirOf(group: string, name = ""): string {
  return name === "" ? `${SPOOLS_DIR}/${group}` : `${SPOOLS_DIR}/${group}/${name}`;
}

/** What makes a spool, and brings back the owners and modes of its own directories: the arguments of agentbus. */
export function initArguments(group: string): string[] {
  return ["init", "--group", group, "--spool", spoolDirOf(group)];
}
