/** Where setup makes the spool of a group. */
export function spoolDirOf(group: string): string {
  return `/var/spool/agentbus/${group}`;
}

/** What brings back the owners and modes of a spool's own directories. */
export function initCommand(group: string): string {
  return `agentbus init --group ${group} --spool ${spoolDirOf(group)}`;
}
