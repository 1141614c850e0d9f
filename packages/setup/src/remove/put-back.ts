import type { Stats } from "node:fs";
import { octal } from "@agentbus/core";
import type { Origin } from "../ledger.js";
import type { Account, Machine } from "../machine.js";
import type { Change } from "../plan/change.js";
import { homeGroupKey, homeModeKey, leftKey, primaryGroupKey, remembers, shellKey } from "../plan/old-values.js";
import type { Removing } from "./plan-removal.js";
import { valueBack } from "./value-back.js";

/**
 * Gives an account that was taken over back as it was: each value that is still what setup made of it. Its processes have ended by now, so
 * that none of them keeps what it may not have any more.
 */
export async function puttingBack(removing: Removing, account: Account): Promise<Change[]> {
  const { ledger, notes } = removing;
  if (!remembers(ledger, account)) {
    notes.push(ofEarlierVersion(removing, account));
    return [homeContents(account.name)];
  }
  return [
    ...(await primaryGroup(removing, account)),
    ...(await shell(removing, account)),
    homeContents(account.name),
    ...(await homeItself(removing, account)),
    ...(await groupsLeft(removing, account)),
  ];
}

/** It kept no old value but that of the shell. */
function ofEarlierVersion({ ledger }: Removing, { name }: Account): string {
  const before = ledger.find(shellKey(name))?.before;
  const was = before === undefined ? "" : ` (it was ${before})`;
  return `${name} was taken over by an earlier version, which kept no old values: its shell${was}, its primary group, the groups that it was taken out of and the mode of its home stay as they are; look at them with: id ${name}`;
}

async function primaryGroup(removing: Removing, { name, uid }: Account): Promise<Change[]> {
  const { machine, tools } = removing;
  const entry = entryOf(removing, primaryGroupKey(name), uid);
  if (entry?.before === undefined) return [];
  const gid = Number(entry.before);
  const nameOf = async (on: Machine) => (await on.groups()).find((group) => group.gid === gid)?.name;
  const group = (await nameOf(machine)) ?? entry.before;
  const obstacle = async (on: Machine) =>
    (await nameOf(on)) === undefined
      ? `${name} had the primary group with gid ${gid}, which is gone: it keeps its own; to choose another: usermod --gid GROUP ${name}`
      : undefined;
  const now = async (on: Machine) => gidOf(await on.user(name));
  const what = `the primary group of ${name}`;
  return valueBack(
    removing,
    { what, entry, now, obstacle },
    await tools.setPrimaryGroup(machine, { name, group, gid }),
  );
}

function gidOf(account: Account | undefined): string | undefined {
  return account === undefined ? undefined : String(account.gid);
}

async function shell(removing: Removing, { name, uid }: Account): Promise<Change[]> {
  const entry = entryOf(removing, shellKey(name), uid);
  const before = entry?.before;
  if (entry === undefined || before === undefined) return [];
  // passwd(5): none is /bin/sh.
  const isThere = (on: Machine) => before === "" || on.access === "pretended" || on.stat(before) !== undefined;
  const obstacle = (on: Machine) =>
    Promise.resolve(
      isThere(on)
        ? undefined
        : `${name} had the shell ${before}, which is gone: it keeps the one it has; to choose another: chsh -s SHELL ${name}`,
    );
  const now = async (on: Machine) => (await on.user(name))?.shell;
  return valueBack(
    removing,
    { what: `the shell of ${name}`, entry, now, obstacle },
    await removing.tools.setShell(removing.machine, { name, shell: before }),
  );
}

/** As the account: see give-back/. */
function homeContents(name: string): Change {
  return {
    id: `${name}/home-given-back`,
    title: `take out of ${name}'s home what setup has put there and ${name} has not changed`,
    action: { kind: "run", argv: ["agentbus", "setup", "give-back", name], speaks: true },
    believesExitCode: true,
    hasTakenEffect: () => Promise.resolve(true),
  };
}

/** The group first, so that nobody else's is ever let in by the mode. */
async function homeItself(removing: Removing, { name, uid, home }: Account): Promise<Change[]> {
  const mode = entryOf(removing, homeModeKey(name), uid);
  const group = entryOf(removing, homeGroupKey(name), uid);
  if (mode?.how === "made") return homeMade(removing.machine, name, home);
  // Only while it is its own directory: never what it has put in the place of it.
  const own = (on: Machine) => {
    const stat = statOf(on, home);
    return stat?.isDirectory() === true && stat.uid === uid ? stat : undefined;
  };
  const action = { kind: "mode", path: home, owner: String(uid) } as const;
  const changes: Change[] = [];
  if (group?.before !== undefined) {
    const { before } = group;
    const now = (on: Machine) => Promise.resolve(own(on)?.gid.toString());
    // usermod has changed it along with the primary group.
    const alsoSetups = [entryOf(removing, primaryGroupKey(name), uid)?.before ?? before];
    const step: Change = {
      id: `${name}/home-group`,
      title: `give ${home} its old group, gid ${before}`,
      action: { ...action, group: before },
      hasTakenEffect: async (on) => (await now(on)) === before,
    };
    changes.push(
      ...(await valueBack(removing, { what: `the group of ${home}`, entry: group, now, alsoSetups }, [step])),
    );
  }
  if (mode?.before !== undefined) {
    const { before } = mode;
    const now = (on: Machine) => Promise.resolve(modeOf(own(on)));
    const step: Change = {
      id: `${name}/home-mode`,
      title: `give ${home} its old mode ${before}`,
      action: { ...action, mode: Number.parseInt(before, 8) },
      hasTakenEffect: async (on) => (await now(on)) === before,
    };
    changes.push(...(await valueBack(removing, { what: `the mode of ${home}`, entry: mode, now }, [step])));
  }
  return changes;
}

function modeOf(stat: { readonly mode: number } | undefined): string | undefined {
  return stat === undefined ? undefined : octal(stat.mode);
}

/** undefined also where something is mounted that is not even root's to look at. */
function statOf(machine: Machine, path: string): Stats | undefined {
  try {
    return machine.stat(path);
  } catch {
    return undefined;
  }
}

/** There was none: it goes when nothing is in it. */
function homeMade(machine: Machine, name: string, home: string): Change[] {
  if (statOf(machine, home)?.isDirectory() !== true) return [];
  return [
    {
      id: `${name}/home-removed`,
      title: `remove ${home}, which setup has made, if it is empty`,
      action: { kind: "run", argv: ["rmdir", home] },
      objection: (on) =>
        Promise.resolve(
          statOf(on, home)?.isDirectory() === true && on.list(home)?.length === 0
            ? undefined
            : `${home} stays: setup has made it, and ${name} has something in it`,
        ),
      hasTakenEffect: (on) => Promise.resolve(on.stat(home) === undefined),
    },
  ];
}

/** Those that it was taken out of. */
async function groupsLeft({ machine, ledger, tools, notes }: Removing, { name, uid }: Account): Promise<Change[]> {
  const changes: Change[] = [];
  for (const { key, before, id } of ledger.entries) {
    const [kind, group = "", user] = key.split(":");
    if (kind !== "left" || user !== name || id !== uid || key !== leftKey(group, name)) continue;
    if (gidOfGroup(await machine.group(group)) === before) {
      changes.push(...(await tools.addMember(machine, { user: name, group, isHuman: false, wasMember: true })));
    } else {
      notes.push(
        `${name} was in group ${group}, gid ${String(before)}, which is gone or another one by now: it is not put back into it`,
      );
    }
  }
  return changes;
}

function gidOfGroup(group: { readonly gid: number } | undefined): string | undefined {
  return group === undefined ? undefined : String(group.gid);
}

/** If it is about this account, and not an earlier one of the same name. */
function entryOf({ ledger }: Removing, key: string, uid: number): Origin | undefined {
  const entry = ledger.find(key);
  return entry?.id === uid ? entry : undefined;
}
