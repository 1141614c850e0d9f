import type { Machine } from "../machine.js";
import { spoolDirOf } from "../spool-place.js";
import type { Change } from "./change.js";
import type { Planning } from "./planning.js";
import { safeStat } from "./spool-drift.js";
import { isShutDropBox } from "@agentbus/core";

/** Somebody who is in a group, or will be. */
export interface SpoolMember {
  readonly name: string;
  readonly groups: readonly string[];
  /** undefined: there is no account yet. */
  readonly uid: number | undefined;
}

/** So that whoever is in a group can be written to before it has ever run; what others have put in the place of it goes before. */
export async function planInboxes(planning: Planning, members: readonly SpoolMember[]): Promise<void> {
  const { machine, changes } = planning;
  for (const member of members) {
    for (const group of member.groups) {
      changes.push(...(await clearing(machine, member, group)));
      const change = await inbox(machine, member, group);
      if (change !== undefined) changes.push(change);
    }
  }
}

async function inbox(machine: Machine, { name, uid }: SpoolMember, group: string): Promise<Change | undefined> {
  const path = spoolDirOf(group, `subscriptions/${name}~inbox`);
  const hasTakenEffect = async (on: Machine) => {
    const owner = (await on.user(name))?.uid;
    return safeStat(on, `${path}/subscription.json`)?.uid === owner && safeStat(on, path)?.uid === owner;
  };
  const isUnseen = safeStat(machine, path) === null;
  if (isUnseen || (uid !== undefined && machine.stat(path) !== undefined && (await hasTakenEffect(machine))))
    return undefined;
  return {
    id: `${name}/inbox-in-${group}`,
    title: `make ${name}'s inbox in ${group}, so that it can be written to before it has run`,
    action: { kind: "run", argv: ["agentbus", "setup", "inbox", name, "--group", group] },
    hasTakenEffect,
  };
}

/** What an account has under its name in a spool. */
const OWN_PLACES = ["subscriptions/{}~inbox", "outbox/{}", "run/{}", "pipes/{}"] as const;

/**
 * Any member may make a directory by any name, also by that of an account that does not exist yet, and keep it from that account. It is
 * moved, not removed: rename(2) follows nothing, and its maker, whose processes run, could lead whoever goes through it elsewhere.
 */
async function clearing(machine: Machine, { name, uid }: SpoolMember, group: string): Promise<Change[]> {
  const users = await machine.users();
  return OWN_PLACES.flatMap((place) => {
    const part = place.replace("{}", name);
    const path = spoolDirOf(group, part);
    const stat = safeStat(machine, path);
    if (stat === null || stat === undefined || stat.uid === uid || isShutDropBox(stat)) return [];
    const maker = users.find((user) => user.uid === stat.uid)?.name ?? `uid ${stat.uid}`;
    const away = spoolDirOf(group, ".squatted");
    const target = `${away}/${part.replaceAll("/", "-")}-${stat.ino}`;
    const change: Change = {
      id: `${name}/squatted-${part.slice(0, part.indexOf("/"))}-in-${group}`,
      title: `move away ${path}, which ${maker} has made in the place of ${name}'s own`,
      action: {
        kind: "run",
        argv: ["sh", "-c", 'mkdir -p -m 0700 "$1" && mv "$2" "$3"', "sh", away, path, target],
        inShort: [`$ mkdir -p -m 0700 ${away} && mv ${path} ${target}`],
      },
      remarks: [`only root can look into ${away}; when you have, rm -r it`],
      ifStill: true,
      hasTakenEffect: async (on) => {
        const now = safeStat(on, path);
        return now === undefined || now?.uid === (await on.user(name))?.uid;
      },
    };
    return [change];
  });
}
