import type { Machine } from "../machine.js";

/**
 * One attribute of a record in macOS's directory, such as UniqueID of /Users/codebot: asked of the record itself, because the lists
 * that the system hands out are cached. @returns undefined when there is none, or no such record
 */
export async function attributeOf(machine: Machine, record: string, attribute: string): Promise<string | undefined> {
  const { status, stdout } = await machine.run(["dscl", ".", "-read", record, attribute]);
  // "UniqueID: 600"; with spaces in it "RealName:\n agentbus: codebot"; of attributes without a standard name "dsAttrTypeNative:IsHidden: 1".
  const [, value] = new RegExp(`^(?:dsAttrType[A-Za-z]+:)?${attribute}:\\s*([^]*)$`).exec(stdout) ?? [];
  return status === 0 ? value?.trim() : undefined;
}

/** Whether the system takes somebody for a member, which is more than what the group lists: groups can be in groups. */
export async function isMember(machine: Machine, user: string, group: string): Promise<boolean | undefined> {
  const { stdout } = await machine.run(["dsmemberutil", "checkmembership", "-U", user, "-G", group]);
  if (/\bis not a member\b/.test(stdout)) return false;
  return /\bis a member\b/.test(stdout) ? true : undefined;
}
