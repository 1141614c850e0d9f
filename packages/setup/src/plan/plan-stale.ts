import { fileRemoval, reloading, undoing } from "../remove/undo.js";
import type { Origin } from "../ledger.js";
import type { Planning } from "./planning.js";

/**
 * Takes back what setup made earlier and the file no longer asks for: sudo rules that were deleted from it, a service that became a
 * login, a person who left a group. Agents that are no longer in it are for `remove`.
 */
export async function planStale(planning: Planning): Promise<void> {
  const { setup, machine, ledger, tools, wantedKeys, changes } = planning;
  const agents = new Set(setup.agents.map(({ name }) => name));
  const stale = ledger.entries.filter(
    ({ key, agent }) => !wantedKeys.has(key) && (agent === undefined || agents.has(agent)) && !isKept(key),
  );
  const files = stale.filter(({ key }) => key.startsWith("file:"));
  changes.push(
    ...(await undoing(planning, stale)),
    ...files.flatMap((entry) => fileRemoval(machine, entry)),
    ...reloading(machine, "stale", files),
  );
  for (const [group, user] of formerPeople(stale)) {
    changes.push(...(await tools.removeMember(machine, { user, group, isHuman: true })));
  }
}

/** Accounts, groups and spools are never removed by the way. */
function isKept(key: string): boolean {
  return !/^(?:file|command|setting|member):/.test(key);
}

function formerPeople(stale: readonly Origin[]): [group: string, user: string][] {
  return stale.flatMap(({ key, agent }) => {
    const [, group, user] = /^member:([^:]+):(.+)$/.exec(key) ?? [];
    return group === undefined || user === undefined || agent !== undefined ? [] : [[group, user]];
  });
}
