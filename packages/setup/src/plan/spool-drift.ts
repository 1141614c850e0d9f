import type { Stats } from "node:fs";
import { isShutDropBox, modeIn, octal, PATHS } from "@agentbus/core";
import type { Machine } from "../machine.js";
import type { GroupSetup } from "../setup.js";
import { spoolDirOf } from "../spool-place.js";
import { barsAmong, type SpoolWish } from "./spool-wish.js";

const MAX_SPOOL_FILE_BYTES = 65_536;

/** The directories of a spool that root makes, by core's one table: relative, "" for the spool itself. */
export const OWN_DIRECTORIES = PATHS.filter(({ madeBy, type }) => madeBy === "init" && type === "directory").map(
  (rule) => ({ name: rule.path.replace(/^\.\//, "").replace(/\/$/, ""), mode: modeIn("group", rule) }),
);

/** What differs between a spool and what it should be, one sentence each. */
export function driftOf(machine: Machine, wish: SpoolWish, gid: number): string[] {
  const { group } = wish;
  const ofTable = OWN_DIRECTORIES.flatMap(({ name, mode }) => {
    const path = spoolDirOf(group.name, name);
    return objections(safeStat(machine, path), mode, gid).map((objection) => `${path} ${objection}`);
  });
  return [...ofTable, ...driftOfDropBoxes(machine, wish)];
}

function objections(stat: Stats | undefined | null, mode: number, gid: number): string[] {
  if (stat === null) return [];
  if (stat === undefined) return ["is missing"];
  if (!stat.isDirectory()) return ["is no directory"];
  return [
    ...(stat.uid === 0 ? [] : [`belongs to uid ${stat.uid} instead of root`]),
    ...(stat.gid === gid ? [] : [`has gid ${stat.gid} instead of ${gid}`]),
    ...((stat.mode & 0o7777) === mode ? [] : [`has mode ${octal(stat.mode)} instead of ${octal(mode)}`]),
  ];
}

/** Where nobody shall receive pipes root has a drop box that is shut, and where somebody may again it is its account's. */
function driftOfDropBoxes(machine: Machine, { group, barred, free }: SpoolWish): string[] {
  const boxOf = (user: string) => spoolDirOf(group.name, `pipes/${user}`);
  const shut = (user: string) => {
    const stat = safeStat(machine, boxOf(user));
    return stat === null ? undefined : stat !== undefined && isShutDropBox(stat);
  };
  return [
    ...barsAmong(barred, "pipes").flatMap((user) => (shut(user) === false ? [`${boxOf(user)} is not shut`] : [])),
    ...barsAmong(free, "pipes").flatMap((user) => (shut(user) === true ? [`${boxOf(user)} is shut`] : [])),
  ];
}

/** null: this account may not look, being no member of the group. */
export function safeStat(machine: Machine, path: string): Stats | undefined | null {
  try {
    return machine.stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") return null;
    throw error;
  }
}

/** What its spool.json says. undefined: nothing that can be understood, null: only members and root may look. */
export function spoolFileOf(machine: Machine, group: string): SpoolFile | undefined | null {
  try {
    const text = machine.read(`${spoolDirOf(group)}/spool.json`, MAX_SPOOL_FILE_BYTES);
    return text === undefined ? undefined : (JSON.parse(text) as SpoolFile);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES" ? null : undefined;
  }
}

interface SpoolFile {
  readonly layout?: unknown;
  readonly relays?: readonly string[];
  readonly limits?: Record<string, unknown>;
  readonly barred?: { readonly sockets?: readonly string[]; readonly pipes?: readonly string[] };
}

export function haveLimits(machine: Machine, { name, limits }: GroupSetup): boolean {
  const file = spoolFileOf(machine, name);
  if (file === null) return true;
  return file !== undefined && Object.entries(limits).every(([limit, value]) => file.limits?.[limit] === value);
}
