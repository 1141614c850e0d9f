import type { Bar } from "@agentbus/core";
import type { Machine } from "../machine.js";
import { moveAway } from "../own-command.js";
import type { GroupSetup } from "../setup.js";
import { initArguments, spoolDirOf } from "../spool-place.js";
import type { Change } from "./change.js";
import type { Planning } from "./planning.js";
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
  const { machine, conflicts, setup } = planning;
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
    return !isDrifted && haveLimits(on, group) && barOptions(on, wish).length === 0;
  };
  if (stat !== undefined && (await hasTakenEffect(machine))) return undefined;
  const settings = Object.entries(limits).map(([limit, value]) => `${limit}=${value}`);
  const bars = stat === undefined ? wish.barred.flatMap((bar) => optionOf("--bar", bar)) : barOptions(machine, wish);
  const drift = gid === undefined || stat === undefined ? [] : driftOf(machine, wish, gid);
  return {
    id: `${name}/spool`,
    title: stat === undefined ? `make the spool ${path}` : `put the spool ${path} right`,
    action: {
      kind: "run",
      argv: ["agentbus", ...initArguments(name), ...settings.flatMap((each) => ["--limit", each]), ...bars],
    },
    remarks: [...drift, ...wish.barred.map(({ user, channel }) => `${user} may use no ${channel}`)],
    origin: { key: `spool:${name}`, how: stat === undefined ? "made" : "adopted" },
    hasTakenEffect,
  };
}

/** What makes spool.json bar whom the file bars, and nobody else of its agents. */
function barOptions(machine: Machine, { group, barred, free }: SpoolWish): string[] {
  const file = spoolFileOf(machine, group.name);
  if (file === null) return [];
  const isBarred = ({ user, channel }: Bar) => file?.barred?.[channel]?.includes(user) === true;
  return [
    ...barred.filter((bar) => !isBarred(bar)).flatMap((bar) => optionOf("--bar", bar)),
    ...free.filter(isBarred).flatMap((bar) => optionOf("--unbar", bar)),
  ];
}

function optionOf(name: "--bar" | "--unbar", { user, channel }: Bar): string[] {
  return [name, `${user}:${channel}`];
}
