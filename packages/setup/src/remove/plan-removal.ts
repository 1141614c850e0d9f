import { Ledger, stateDir, type Origin } from "../ledger.js";
import type { Account, Machine } from "../machine.js";
import type { AccountTools } from "../plan/account-tools.js";
import type { Change } from "../plan/change.js";
import { toolsFor } from "../plan/make-plan.js";
import { SPOOLS_DIR } from "../spool-place.js";
import { groupsToLeave, groupThatStays, leavingGroups, ownGroupRemoval } from "./groups-of-agent.js";
import { homeRemoval, type HomeFate } from "./remove-home.js";
import { killing, killingProcesses, lockingOut, processesId } from "./lock-out.js";
import { puttingBack } from "./put-back.js";
import { agentSpoolRemoval, spoolRemoval, unbarringId } from "./remove-spool.js";
import { fileRemoval, reloading, undoing } from "./undo.js";

export interface RemovalOptions {
  /** What becomes of homes. @default "archive" */
  readonly home?: HomeFate;
  /** Names the archive; a second run uses another. */
  readonly at: Date;
}

export interface Removal {
  readonly changes: readonly Change[];
  readonly notes: readonly string[];
  /** Whose other files are looked for when all is done. */
  readonly uids: readonly { readonly name: string; readonly uid: number }[];
}

/** What removal works with. */
export interface Removing {
  readonly machine: Machine;
  readonly ledger: Ledger;
  readonly tools: AccountTools;
  readonly options: Required<RemovalOptions>;
  readonly notes: string[];
}

/** Agents that the ledger knows, by name. */
export function knownAgents(ledger: Ledger): string[] {
  return [...new Set(ledger.entries.flatMap(({ agent }) => agent ?? []))].sort();
}

/**
 * What takes agents away again, and with `all` everything that setup has made. Only what the ledger knows: an account that was
 * taken over stays, and is given back as it was.
 */
export async function planRemoval(
  machine: Machine,
  agents: readonly string[],
  all: boolean,
  options: RemovalOptions,
): Promise<Removal> {
  const ledger = Ledger.read(machine);
  const notes: string[] = [];
  const removing: Removing = {
    machine,
    ledger,
    tools: await toolsFor(machine),
    options: { home: "archive", ...options },
    notes,
  };
  const changes: Change[] = [];
  const uids: { name: string; uid: number }[] = [];
  for (const name of agents) {
    const entry = ledger.find(`account:${name}`);
    if (entry?.how === "made" && entry.id !== undefined) uids.push({ name, uid: entry.id });
    changes.push(...(await removalOfAgent(removing, name)));
  }
  if (all) changes.push(...(await removalOfRest(removing)));
  return { changes, notes, uids };
}

async function removalOfAgent(removing: Removing, name: string): Promise<Change[]> {
  const { machine, ledger, tools, notes } = removing;
  const entries = ledger.entries.filter(({ agent }) => agent === name);
  const account = await accountOf(removing, name);
  const isOurs = ledger.find(`account:${name}`)?.how === "made";
  const changes: Change[] = [
    // What it may do as root ends before it could notice the rest.
    ...entries.filter(isSudoFile).flatMap((entry) => fileRemoval(machine, entry)),
    ...(await undoing(removing, entries)),
    ...entries.filter((entry) => isFile(entry) && !isSudoFile(entry)).flatMap((entry) => fileRemoval(machine, entry)),
    ...reloading(machine, name, entries),
    ...entries
      .filter(isDirectory)
      .toReversed()
      .flatMap((entry) => fileRemoval(machine, entry)),
  ];
  if (account !== undefined && isOurs) changes.push(...lockingOut(machine, account), ...killing(machine, account));
  if (account !== undefined && !isOurs)
    changes.push(...(await leavingGroups(removing, name)), killingProcesses(account));
  const uid = account?.uid ?? (isOurs ? ledger.find(`account:${name}`)?.id : undefined);
  if (uid !== undefined)
    changes.push(...agentSpoolRemoval(removing, name, uid, isOurs ? undefined : await groupsToLeave(removing, name)));
  if (isOurs) {
    if (uid !== undefined) changes.push(...homeRemoval(removing, name, uid, account?.home));
    const groups = machine.list(SPOOLS_DIR) ?? [];
    // Whoever got its uid before the last of its processes ends would share it with that.
    const needs = [processesId(name), ...groups.map((group) => unbarringId(name, group))];
    const removal = account === undefined ? [] : await tools.removeAccount(machine, account);
    const { remembers, changes: bringingBack } = await groupThatStays(removing, name);
    changes.push(...removal.map((change) => ({ ...change, needs, remembers })), ...bringingBack);
  } else if (account !== undefined) {
    notes.push(`${name} was there before setup: its account and its home stay, and get back what setup has changed`);
    changes.push(...(await puttingBack(removing, account)));
  }
  changes.push(
    ...(await ownGroupRemoval(removing, name, isOurs)),
    ...forgetting(name, entries, isOurs ? uid : undefined),
  );
  return changes;
}

/** The account, if it is still the one that setup made or took over. */
async function accountOf({ machine, ledger, notes }: Removing, name: string): Promise<Account | undefined> {
  const account = await machine.user(name);
  const entry = ledger.find(`account:${name}`);
  if (account === undefined || entry === undefined) return undefined;
  if (account.uid === entry.id) return account;
  notes.push(
    `account ${name} has uid ${account.uid}, and setup made it with ${String(entry.id)}: this one is not touched`,
  );
  return undefined;
}

/** The last step: what is forgotten before could not be finished by a second run. */
function forgetting(name: string, entries: readonly Origin[], uid: number | undefined): Change[] {
  if (entries.length === 0) return [];
  return [
    {
      id: `${name}/forgotten`,
      title: uid === undefined ? `forget ${name}` : `retire uid ${uid}: no agent gets it again`,
      action: { kind: "note" },
      ...(uid === undefined ? {} : { retires: { uid, name } }),
      forgetsAgent: name,
      hasTakenEffect: () => Promise.resolve(true),
    },
  ];
}

/** What belongs to no single agent: memberships of people, spools, groups, power. */
async function removalOfRest(removing: Removing): Promise<Change[]> {
  const { machine, ledger, tools, notes } = removing;
  const entries = ledger.entries.filter(({ agent }) => agent === undefined);
  const changes: Change[] = [
    ...(await undoing(removing, entries)),
    ...entries.filter(isFile).flatMap((entry) => fileRemoval(machine, entry)),
    ...reloading(machine, "all", entries),
  ];
  const agents = new Set(knownAgents(ledger));
  for (const { key, how } of entries.filter((entry) => entry.key.startsWith("spool:"))) {
    changes.push(...(await spoolRemoval(removing, key.slice("spool:".length), how)));
  }
  for (const { key } of entries.filter((entry) => entry.key.startsWith("member:"))) {
    const [, group = "", user = ""] = key.split(":");
    changes.push(...(await tools.removeMember(machine, { user, group, isHuman: true })));
  }
  for (const { key, how, id = -1 } of entries.filter((entry) => entry.key.startsWith("group:"))) {
    const name = key.slice("group:".length);
    if (how !== "made") continue;
    const strangers = ((await machine.group(name))?.members ?? []).filter(
      (member) => !agents.has(member) && !ledger.has(`member:${name}:${member}`),
    );
    if (strangers.length > 0) notes.push(`group ${name} stays: ${strangers.join(", ")} came into it without setup`);
    else changes.push(...(await tools.removeGroup(machine, { name, gid: id })));
  }
  changes.push(
    ...entries
      .filter(isDirectory)
      .toReversed()
      .flatMap((entry) => fileRemoval(machine, entry)),
  );
  changes.push(...rootOfSpools(machine, entries));
  if (entries.length > 0) {
    changes.push({
      id: "all/forgotten",
      title: `forget the rest; ${stateDir(machine.flavour)} keeps the uids that are retired`,
      action: { kind: "note" },
      forgetsAgent: "",
      hasTakenEffect: () => Promise.resolve(true),
    });
  }
  return changes;
}

/** The directory of all spools goes with the last of them. */
function rootOfSpools(machine: Machine, entries: readonly Origin[]): Change[] {
  const spools = new Set(
    entries.flatMap(({ key, how }) => (key.startsWith("spool:") && how === "made" ? [key.slice("spool:".length)] : [])),
  );
  const names = machine.list(SPOOLS_DIR);
  if (names === undefined || spools.size === 0 || names.some((name) => !spools.has(name))) return [];
  const isGone = (on: Machine) => Promise.resolve(on.stat(SPOOLS_DIR) === undefined);
  return [
    {
      id: "spool/root",
      title: `remove ${SPOOLS_DIR}, which is empty`,
      action: { kind: "run", argv: ["rmdir", SPOOLS_DIR] },
      hasTakenEffect: isGone,
    },
  ];
}

function isFile({ key }: Origin): boolean {
  return key.startsWith("file:");
}

function isDirectory({ key }: Origin): boolean {
  return key.startsWith("directory:");
}

function isSudoFile({ key }: Origin): boolean {
  return /^file:(?:\/private)?\/etc\/sudoers\.d\//.test(key);
}
