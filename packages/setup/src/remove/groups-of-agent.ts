import type { Origin } from "../ledger.js";
import type { Machine } from "../machine.js";
import type { Change } from "../plan/change.js";
import { primaryGroupKey } from "../plan/old-values.js";
import type { Removing } from "./plan-removal.js";

/**
 * An account that stays leaves the groups that setup has added it to, before its processes end: what starts afterwards has them no more. The
 * ledger keeps those to the end, for a second run to know whose spools it has left.
 */
export async function leavingGroups({ machine, ledger, tools }: Removing, name: string): Promise<Change[]> {
  const changes: Change[] = [];
  for (const group of joined(ledger.entries, name))
    changes.push(...(await tools.removeMember(machine, { user: name, group, isHuman: false })));
  return changes.map((change) => ({ ...change, forgets: [] }));
}

/** Of those, all but the one that was its primary one, and will be again. */
export async function groupsToLeave({ machine, ledger }: Removing, name: string): Promise<string[]> {
  const primary = ledger.find(primaryGroupKey(name))?.before;
  const groups = await machine.groups();
  const gidOf = (group: string) => String(groups.find((each) => each.name === group)?.gid);
  return joined(ledger.entries, name).filter((group) => gidOf(group) !== primary);
}

function joined(entries: readonly Origin[], name: string): string[] {
  return entries.flatMap(({ key, agent }) => (agent === name ? (/^member:([^:]+):/.exec(key)?.[1] ?? []) : []));
}

/** A group of the account's name that was there before setup, and may go with the account: that is noted, so that a second run knows. */
export async function groupThatStays(
  { machine, ledger, tools }: Removing,
  name: string,
): Promise<{ remembers: readonly Origin[]; changes: readonly Change[] }> {
  const { how, id: gid } = ledger.find(`group:${name}`) ?? {};
  const origin = { key: `group-back:${name}`, how: "adopted", agent: name } as const;
  if (how !== "adopted" || gid === undefined) return { remembers: [], changes: [] };
  const isThere = (await machine.group(name))?.gid === gid;
  if (!isThere && !ledger.has(origin.key)) return { remembers: [], changes: [] };
  const changes = tools.bringGroupBack(machine, { name, gid }).map((change) => ({ ...change, forgets: [origin.key] }));
  return { remembers: [origin], changes };
}

/** @param isOurs its account goes; one that stays may have it for its primary group still */
export async function ownGroupRemoval(
  { machine, ledger, tools }: Removing,
  name: string,
  isOurs: boolean,
): Promise<readonly Change[]> {
  const entry = ledger.find(`group:${name}`);
  if (entry?.how !== "made" || entry.id === undefined) return [];
  const group = { name, gid: entry.id };
  // userdel takes it along where USERGROUPS_ENAB says so, which is only known afterwards.
  const isThere = (await machine.group(name))?.gid === entry.id;
  if (!isThere) return [];
  const objection = async (on: Machine) => {
    const users = (await on.users()).filter(({ gid }) => gid === group.gid).map((user) => user.name);
    return users.length === 0
      ? undefined
      : `group ${name} stays: it is the primary group of ${users.join(", ")}; after usermod --gid OTHER ${users[0] ?? ""}, remove it with groupdel ${name}`;
  };
  const changes = await tools.removeGroup(machine, group);
  return changes.map((change) => ({ ...change, ifStill: true, ...(isOurs ? {} : { objection }) }));
}
