import { Ledger } from "../ledger.js";
import type { Machine } from "../machine.js";
import { asRootCommand } from "../own-command.js";
import type { Setup } from "../setup.js";
import type { AccountTools } from "./account-tools.js";
import type { Change, Conflict } from "./change.js";
import { linuxAccounts } from "./linux-accounts.js";
import { Numbers } from "./numbers.js";
import { AGENT_PARTS, MACHINE_PARTS } from "./parts.js";
import { planAgents, planGroups, planHumans } from "./plan-accounts.js";
import { planHome } from "./plan-home.js";
import { planInboxes, type SpoolMember } from "./plan-inboxes.js";
import { planSpools } from "./plan-spool.js";
import { planStale } from "./plan-stale.js";
import { planWanted } from "./plan-wanted.js";
import type { Planning, PlannedAgent } from "./planning.js";
import { tmpfiles } from "./tmpfiles.js";

export interface PlanOptions {
  /** Names of accounts and groups that are taken over if they are there already. @default none */
  readonly adopt?: readonly string[];
}

/** What differs between what agentbus.json wants and what is, as steps in their order. */
export interface Plan {
  readonly changes: readonly Change[];
  /** While there is one, nothing is applied. */
  readonly conflicts: readonly Conflict[];
  readonly notes: readonly string[];
  readonly agents: readonly PlannedAgent[];
}

/**
 * Compares, and changes nothing. Needs no root: what this account cannot see is planned as if it were missing, and says so.
 * @throws BusError ERR_SETUP_CONFLICT for a ledger that cannot be understood
 */
export async function makePlan(setup: Setup, machine: Machine, { adopt = [] }: PlanOptions = {}): Promise<Plan> {
  const ledger = Ledger.read(machine);
  const planning: Planning = {
    ...{ setup, machine, ledger, numbers: await Numbers.of(machine, ledger), tools: await toolsFor(machine) },
    ...{ adopt: new Set(adopt), changes: [], wantedKeys: new Set(), conflicts: [], notes: [] },
  };
  await planGroups(planning);
  const agents = await planAgents(planning);
  await planHumans(planning);
  for (const planned of agents) await planHome(planning, planned);
  await planWanted(planning, tmpfiles(planning));
  await planSpools(planning);
  await planInboxes(planning, await membersOf(planning, agents));
  for (const part of AGENT_PARTS) {
    for (const planned of agents) await planWanted(planning, await part(planned, setup, machine), planned.agent.name);
  }
  for (const part of MACHINE_PARTS) await planWanted(planning, await part(setup, machine));
  await planStale(planning);
  noteStrangers(planning);
  return { changes: withoutRepetition(planning.changes), conflicts: planning.conflicts, notes: planning.notes, agents };
}

export async function toolsFor({ flavour }: Machine): Promise<AccountTools> {
  if (flavour.platform === "linux") return linuxAccounts;
  return (await import("../darwin/darwin-accounts.js")).darwinAccounts;
}

async function membersOf({ setup, machine }: Planning, agents: readonly PlannedAgent[]): Promise<SpoolMember[]> {
  const people = setup.humans.map(async ({ name, groups }) => ({ name, groups, uid: (await machine.user(name))?.uid }));
  return [
    ...agents.map(({ agent, account, exists }) => ({ ...agent, uid: exists ? account.uid : undefined })),
    ...(await Promise.all(people)),
  ];
}

/** Agents that were set up and are no longer in the file: they stay until somebody says so. */
function noteStrangers({ setup, ledger, notes }: Planning): void {
  const wanted = new Set(setup.agents.map(({ name }) => name));
  const known = new Set(ledger.entries.flatMap(({ agent }) => agent ?? []));
  for (const name of known) {
    if (!wanted.has(name))
      notes.push(`${name} is no longer in ${setup.path}, and still set up: ${asRootCommand(`setup remove ${name}`)}`);
  }
}

/** Two files in a directory that is missing both want it made. */
function withoutRepetition(changes: readonly Change[]): Change[] {
  return [...new Map(changes.map((change) => [change.id, change])).values()];
}
