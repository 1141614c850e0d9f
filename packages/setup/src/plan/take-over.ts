import type { Ledger } from "../ledger.js";
import type { Account, Machine } from "../machine.js";
import type { AgentSetup } from "../setup.js";
import { supplementaryGroups } from "../system/account-lists.js";
import type { AccountTools } from "./account-tools.js";
import type { Change } from "./change.js";
import {
  groupLeft,
  leftKey,
  oldHome,
  oldPrimaryGroup,
  oldShell,
  remembers,
  shellKey,
  type TakenOver,
} from "./old-values.js";

/** Of an account that is there already, and is no agent yet: its password, its name and its comment stay what they are. */
export interface Adoption {
  readonly machine: Machine;
  readonly ledger: Ledger;
  readonly tools: AccountTools;
  readonly existing: Account;
  /** What it shall be. */
  readonly account: Account;
  readonly agent: AgentSetup;
}

/** undefined: an earlier version took it over, and has changed what it kept no old value of; another removal cannot mend that. */
export function takenOver(ledger: Ledger, { name, uid }: Account): TakenOver | undefined {
  const isNew = ledger.find(`account:${name}`)?.id !== uid;
  return isNew || remembers(ledger, { name, uid }) ? { name, uid } : undefined;
}

/** What the file says, or what it had before the file said something else. */
export function shellOfAdopted(ledger: Ledger, { shell }: AgentSetup, { name, uid, shell: present }: Account): string {
  if (shell !== undefined) return shell;
  const { id, before, set } = ledger.find(shellKey(name)) ?? {};
  return before !== undefined && id === uid && set?.includes(present) === true ? before : present;
}

/** Its primary group and its shell. */
export async function changeAdopted({ machine, ledger, tools, existing, account, agent }: Adoption): Promise<Change[]> {
  const { name, gid, shell, home } = account;
  const owner = takenOver(ledger, existing);
  const stat = machine.stat(home);
  const group = await tools.setPrimaryGroup(machine, { name, group: name, gid });
  // usermod gives the home, and what is in it, the new group along.
  const homeToo = stat === undefined ? [] : [...oldHome(existing, stat, { mode: agent.homeMode, gid })];
  return [
    ...noting(group, owner === undefined ? [] : [oldPrimaryGroup(owner, existing.gid, gid), ...homeToo]),
    ...noting(
      await tools.setShell(machine, { name, shell }),
      owner === undefined ? [] : [oldShell(owner, existing.shell, shell)],
    ),
  ];
}

/** The groups of the file, and no others; what it was in before is noted. */
export async function changeGroupsOfAdopted(adoption: Adoption): Promise<Change[]> {
  const { machine, ledger, tools, existing, agent } = adoption;
  const { name } = existing;
  const owner = takenOver(ledger, existing);
  const changes: Change[] = [];
  for (const group of agent.groups) {
    const left = leftKey(group, name);
    const wasMember = ledger.find(left)?.id === existing.uid;
    const joining = await tools.addMember(machine, { user: name, group, isHuman: false, wasMember });
    changes.push(...joining.map((change) => (wasMember ? { ...change, forgets: [left] } : change)));
  }
  for (const group of await supplementaryGroups(machine, name)) {
    if (agent.groups.includes(group) || group === name) continue;
    const leaving = await tools.removeMember(machine, { user: name, group, isHuman: false });
    const gid = (await machine.group(group))?.gid;
    const isSetups = ledger.has(`member:${group}:${name}`);
    changes.push(
      ...noting(
        leaving,
        owner === undefined || gid === undefined || isSetups ? [] : [groupLeft(owner, { name: group, gid })],
      ),
    );
  }
  return changes;
}

function noting(changes: readonly Change[], origins: Change["remembers"]): Change[] {
  return changes.map((change) => ({ ...change, remembers: origins ?? [] }));
}
