import type { Bar } from "@agentbus/core";
import type { Machine } from "../machine.js";
import { moveAway } from "../own-command.js";
import type { GroupSetup } from "../setup.js";
import { initArguments, spoolDirOf } from "../spool-place.js";
import type { Change } from "./change.js";
import type { Planning } from "./planning.js";
import { oldBar, oldLimits } from "./old-spool.js";
import { driftOf, haveLimits, spoolFileOf } from "./spool-drift.js";
import { spoolWish, type SpoolWish } from "./spool-wish.js";

/** Makes each group's spool, and puts right what has drifted from the table, or is not as the file says any more. */
export async function planSpools(planning: Planning): Promise<void> {
  for (const group of planning.setup.groups) {
    const change = await planSpool(planning, group);
    if (change !== undefined) planning.changes.push(change);
  }
}

async function planSpool(planning: Planning, group: GroupSetup): Promise<Change | undefined> {
  const { machine, ledger, conflicts, setup } = planning;
  const { name, limits } = group;
  const path = spoolDirOf(name);
  const wish = spoolWish(setup, group);
  const gid = (await machine.group(name))?.gid;
  const stat = machine.stat(path);
  if (stat !== undefined && (!stat.isDirectory() || stat.uid !== 0)) {
    const problem = `${path} is ${stat.isDirectory() ? `uid ${stat.uid}'s` : "no directory"}`;
    conflicts.push({ id: `${name}/spool`, problem, fix: moveAway(path, machine.flavour) });
    return undefined;
  }
  const hasTakenEffect = async (on: Machine) => {
    const now = (await on.group(name))?.gid;
    const isDrifted = now === undefined || driftOf(on, wish, now).length > 0;
    return !isDrifted && haveLimits(on, group) && barChanges(on, wish).length === 0;
  };
  if (stat !== undefined && (await hasTakenEffect(machine))) return undefined;
  const settings = Object.entries(limits).map(([limit, value]) => `${limit}=${value}`);
  const bars = barChanges(machine, wish);
  const isOthers = stat !== undefined && ledger.find(`spool:${name}`)?.how !== "made";
  const drift = gid === undefined || stat === undefined ? [] : driftOf(machine, wish, gid);
  return {
    id: `${name}/spool`,
    title: stat === undefined ? `make the spool ${path}` : `put the spool ${path} right`,
    action: {
      kind: "run",
      argv: [
        ...["agentbus", ...initArguments(name), ...settings.flatMap((each) => ["--limit", each])],
        ...bars.flatMap(({ bar, isBarred }) => barOption(bar, !isBarred)),
      ],
    },
    remembers: [
      ...(isOthers ? oldLimits(group, spoolFileOf(machine, name)?.limits ?? {}) : []),
      ...bars.map(({ bar, isBarred }) => oldBar(name, bar, isBarred)),
    ],
    remarks: [...drift, ...wish.barred.map(({ user, channel }) => `${user} may use no ${channel}`)],
    origin: { key: `spool:${name}`, how: stat === undefined ? "made" : "adopted" },
    hasTakenEffect,
  };
}

/** Whom spool.json has to bar, or not to bar any more; of others than the file's agents nothing is said. */
function barChanges(machine: Machine, { group, barred, free }: SpoolWish): { bar: Bar; isBarred: boolean }[] {
  const file = spoolFileOf(machine, group.name);
  if (file === null) return [];
  const isBarred = ({ user, channel }: Bar) => file?.barred?.[channel]?.includes(user) === true;
  return [
    ...barred.filter((bar) => !isBarred(bar)).map((bar) => ({ bar, isBarred: false })),
    ...free.filter(isBarred).map((bar) => ({ bar, isBarred: true })),
  ];
}

/** An option of agentbus init. */
export function barOption({ user, channel }: Bar, isBarred: boolean): string[] {
  return [isBarred ? "--bar" : "--unbar", `${user}:${channel}`];
}
