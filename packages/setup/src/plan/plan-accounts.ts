import type { Account } from "../machine.js";
import { asRootCommand, fileArgument, moveAway } from "../own-command.js";
import type { AgentSetup, Setup } from "../setup.js";
import { supplementaryGroups } from "../system/account-lists.js";
import { defaultShell, type Planning, type PlannedAgent } from "./planning.js";
import { changeAdopted, changeGroupsOfAdopted, shellOfAdopted, takenOver } from "./take-over.js";

/** Below are the system's own accounts. macOS's people begin at 501. */
const FIRST_ORDINARY = { linux: 1_000, darwin: 501 } as const;

/** The groups that are spools. */
export async function planGroups(planning: Planning): Promise<void> {
  const { setup, machine, tools, numbers, changes } = planning;
  for (const { name } of setup.groups) {
    const claim = await claimGroup(planning, name);
    if (claim === "foreign") continue;
    const existing = await machine.group(name);
    const gid = existing?.gid ?? numbers.choose(`group:${name}`);
    changes.push(...(await tools.makeGroup(machine, { name, gid })));
  }
}

/** People's accounts must be there; they only become members. */
export async function planHumans(planning: Planning): Promise<void> {
  const { setup, machine, tools, changes, conflicts, wantedKeys } = planning;
  for (const { name, groups } of setup.humans) {
    if (machine.access !== "pretended" && (await machine.user(name)) === undefined) {
      const problem = `there is no account ${name}: humans have theirs already`;
      conflicts.push({ id: `${name}/account`, problem, fix: `correct "humans" in ${setup.path}` });
      continue;
    }
    for (const group of groups) wantedKeys.add(`member:${group}:${name}`);
    for (const group of groups) changes.push(...(await tools.addMember(machine, { user: name, group, isHuman: true })));
  }
}

/** Each agent's own group, its account, and the groups that it is in: those of the file, and no others. */
export async function planAgents(planning: Planning): Promise<PlannedAgent[]> {
  const planned: PlannedAgent[] = [];
  for (const agent of planning.setup.agents) {
    const result = await planAgent(planning, agent);
    if (result !== undefined) planned.push(result);
  }
  return planned;
}

async function planAgent(planning: Planning, agent: AgentSetup): Promise<PlannedAgent | undefined> {
  const { machine, ledger, tools, numbers, changes } = planning;
  const { name } = agent;
  const existing = await machine.user(name);
  const claims = [await claimAccount(planning, name, existing), await claimGroup(planning, name, name)];
  if (claims.includes("foreign") || (existing === undefined && refuseOccupiedHome(planning, name))) return undefined;
  const ownGroup = await machine.group(name);
  const uid =
    existing?.uid ??
    (ownGroup === undefined
      ? numbers.choose(`account:${name}`, `group:${name}`)
      : numbers.chooseBeside(ownGroup.gid, `account:${name}`));
  const home = existing?.home ?? `${machine.flavour.homesDir}/${name}`;
  // The number of an account that was taken over may be another group's.
  const isTaken = existing !== undefined && (await machine.groups()).some((group) => group.gid === uid);
  const gid = ownGroup?.gid ?? (isTaken ? numbers.choose(`group:${name}`) : uid);
  const adopted = claims[0] === "adopted" ? existing : undefined;
  const shell = (adopted === undefined ? agent.shell : shellOfAdopted(ledger, agent, adopted)) ?? defaultShell(machine);
  const account: Account = { name, uid, gid, home, shell };
  changes.push(...(await tools.makeGroup(machine, { name, gid, agent: name })));
  if (adopted !== undefined) {
    const adoption = { machine, ledger, tools, existing: adopted, account, agent };
    changes.push(...(await changeAdopted(adoption)), ...(await changeGroupsOfAdopted(adoption)));
    return { agent, account, exists: true, takenOver: takenOver(ledger, adopted) };
  }
  changes.push(...(await tools.makeAccount(machine, { name, uid, gid, home, homeMode: agent.homeMode, shell })));
  for (const group of agent.groups) {
    changes.push(...(await tools.addMember(machine, { user: name, group, isHuman: false })));
  }
  for (const group of existing === undefined ? [] : await supplementaryGroups(machine, name)) {
    if (!agent.groups.includes(group) && group !== name)
      changes.push(...(await tools.removeMember(machine, { user: name, group, isHuman: false })));
  }
  return { agent, account, exists: existing !== undefined };
}

async function claimAccount(planning: Planning, name: string, existing: Account | undefined) {
  const { ledger, machine, conflicts } = planning;
  if (existing === undefined) return "free";
  const entry = ledger.find(`account:${name}`);
  if (entry?.id === existing.uid) return entry.how === "adopted" ? "adopted" : "ours";
  const id = `${name}/account`;
  if (existing.uid < FIRST_ORDINARY[machine.flavour.platform] || existing.uid >= 60_000) {
    const problem = `${name} is an account of the system, uid ${existing.uid}`;
    conflicts.push({ id, problem, fix: `give the agent another name in ${planning.setup.path}` });
    return "foreign";
  }
  const why = entry === undefined ? "setup did not make it" : `setup made it with uid ${String(entry.id)}`;
  return adopt(
    planning,
    id,
    { key: `account:${name}`, name, id: existing.uid, agent: name },
    `there is an account ${name} already, uid ${existing.uid}, and ${why}`,
  );
}

async function claimGroup(planning: Planning, name: string, agent?: string) {
  const { ledger, machine, conflicts } = planning;
  const existing = await machine.group(name);
  if (existing === undefined) return "free";
  const entry = ledger.find(`group:${name}`);
  if (entry?.id === existing.gid) return "ours";
  const id = `${agent ?? name}/group`;
  if (existing.gid < (machine.flavour.platform === "darwin" ? 501 : 1_000)) {
    const problem = `${name} is a group of the system, gid ${existing.gid}`;
    conflicts.push({ id, problem, fix: `choose another name in ${planning.setup.path}` });
    return "foreign";
  }
  const origin = { key: `group:${name}`, name, id: existing.gid, ...(agent === undefined ? {} : { agent }) };
  const why = entry === undefined ? "setup did not make it" : `setup made it with gid ${String(entry.id)}`;
  return adopt(planning, id, origin, `there is a group ${name} already, gid ${existing.gid}, and ${why}`);
}

function adopt(
  { adopt: wanted, changes, conflicts, setup }: Planning,
  id: string,
  origin: { readonly key: string; readonly name: string; readonly id: number; readonly agent?: string },
  problem: string,
) {
  const { name, ...entry } = origin;
  if (!wanted.has(name)) {
    conflicts.push({ id, problem, fix: adoptFix([name], setup), adoptable: name });
    return "foreign";
  }
  const what = entry.key.startsWith("group:") ? "group" : "account";
  changes.push({
    id: `${id}-adopted`,
    title: `take over ${what} ${name}, which is there already; removal will give it back`,
    action: { kind: "note" },
    origin: { ...entry, how: "adopted", ...(what === "account" ? { remembers: true } : {}) },
    hasTakenEffect: () => Promise.resolve(true),
  });
  return "adopted";
}

/** What takes over what is there already. */
export function adoptFix(names: readonly string[], { path }: Setup): string {
  const options = names.map((name) => ` --adopt ${name}`).join("");
  const command = asRootCommand(`setup apply${fileArgument(path)}${options}`);
  const [it, another] = names.length === 1 ? ["it is", "another name"] : ["they are", "other names"];
  return `if ${it} meant: ${command}; removal will leave ${names.length === 1 ? "it" : "them"} there. Or choose ${another} in ${path}`;
}

/** useradd would take whatever is there for the home: a directory of somebody else, or a link to one. */
function refuseOccupiedHome({ machine, conflicts }: Planning, name: string): boolean {
  const path = `${machine.flavour.homesDir}/${name}`;
  const stat = machine.stat(path);
  if (stat === undefined) return false;
  const what = stat.isSymbolicLink() ? "a symbolic link" : `uid ${stat.uid}'s`;
  const problem = `${path} is there before the account, and is ${what}`;
  conflicts.push({ id: `${name}/home`, problem, fix: moveAway(path, machine.flavour) });
  return true;
}
