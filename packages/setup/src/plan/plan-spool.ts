import type { Stats } from "node:fs";
import { modeIn, octal, PATHS, ROOT_MODE } from "@agentbus/core";
import type { Machine } from "../machine.js";
import type { GroupSetup } from "../setup.js";
import type { Change, Wanted } from "./change.js";
import type { Planning } from "./planning.js";

export const SPOOLS_DIR = "/var/spool/agentbus";
const MAX_SPOOL_FILE_BYTES = 65_536;

/** The directories of a spool that root makes, by core's one table: relative, "" for the spool itself. */
const OWN_DIRECTORIES = PATHS.filter(({ madeBy, type }) => madeBy === "init" && type === "directory").map((rule) => ({
  name: rule.path.replace(/^\.\//, "").replace(/\/$/, ""),
  mode: modeIn("group", rule),
}));

/** Lets systemd put the modes right at every start, and age nothing away. */
export function tmpfiles({ setup, machine }: Planning): Wanted {
  if (machine.flavour.platform !== "linux" || !machine.flavour.hasSystemd) return { files: [], commands: [] };
  const path = "/etc/tmpfiles.d/agentbus.conf";
  const lines = setup.groups.flatMap(({ name }) =>
    OWN_DIRECTORIES.map((dir) => `d ${pathOf(name, dir.name)} ${octal(dir.mode)} root ${name} -`),
  );
  const text = [
    "# managed by agentbus setup; do not edit",
    `d ${SPOOLS_DIR} ${octal(ROOT_MODE)} root root -`,
    ...lines,
    "",
  ].join("\n");
  return {
    files: [
      {
        id: "spool/tmpfiles",
        title: "let systemd put the spools' owners and modes right at every start",
        path,
        text,
        mode: 0o644,
      },
    ],
    commands: [],
  };
}

/** Makes each group's spool, and puts right what has drifted from the table. */
export async function planSpools(planning: Planning): Promise<void> {
  for (const group of planning.setup.groups) {
    const change = await planSpool(planning, group);
    if (change !== undefined) planning.changes.push(change);
  }
}

async function planSpool(planning: Planning, { name, limits }: GroupSetup): Promise<Change | undefined> {
  const { machine, conflicts } = planning;
  const path = pathOf(name);
  const gid = (await machine.group(name))?.gid;
  const stat = machine.stat(path);
  if (stat !== undefined && (!stat.isDirectory() || stat.uid !== 0)) {
    const problem = `${path} is ${stat.isDirectory() ? `uid ${stat.uid}'s` : "no directory"}`;
    conflicts.push({ id: `${name}/spool`, problem, fix: `look at it (ls -ld ${path}), and mv -T ${path} ${path}.old` });
    return undefined;
  }
  const settings = Object.entries(limits).map(([limit, value]) => `${limit}=${value}`);
  const hasTakenEffect = async (on: Machine) => {
    const now = (await on.group(name))?.gid;
    return now !== undefined && driftOf(on, name, now).length === 0 && haveLimits(on, name, limits);
  };
  if (stat !== undefined && (await hasTakenEffect(machine))) return undefined;
  const drift = gid === undefined || stat === undefined ? [] : driftOf(machine, name, gid);
  return {
    id: `${name}/spool`,
    title: stat === undefined ? `make the spool ${path}` : `put the spool ${path} right`,
    action: {
      kind: "run",
      argv: ["agentbus", "init", "--group", name, "--spool", path, ...settings.flatMap((each) => ["--limit", each])],
    },
    remarks: drift,
    origin: { key: `spool:${name}`, how: stat === undefined ? "made" : "adopted" },
    hasTakenEffect,
  };
}

/** What differs from the table, one sentence each. */
function driftOf(machine: Machine, group: string, gid: number): string[] {
  return OWN_DIRECTORIES.flatMap(({ name, mode }) => {
    const path = pathOf(group, name);
    return objections(safeStat(machine, path), mode, gid).map((objection) => `${path} ${objection}`);
  });
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

/** null: this account may not look, being no member of the group. */
function safeStat(machine: Machine, path: string): Stats | undefined | null {
  try {
    return machine.stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") return null;
    throw error;
  }
}

function haveLimits(machine: Machine, group: string, limits: GroupSetup["limits"]): boolean {
  try {
    const text = machine.read(`${pathOf(group)}/spool.json`, MAX_SPOOL_FILE_BYTES);
    if (text === undefined) return false;
    const { limits: actual = {} } = JSON.parse(text) as { limits?: Record<string, unknown> };
    return Object.entries(limits).every(([name, value]) => actual[name] === value);
  } catch (error) {
    // Only members and root may look.
    return (error as NodeJS.ErrnoException).code === "EACCES";
  }
}

/** So that whoever is in a group can be written to before it has ever run. */
export async function planInboxes(
  planning: Planning,
  accounts: readonly { readonly name: string; readonly groups: readonly string[]; readonly uid: number | undefined }[],
): Promise<void> {
  const { machine, changes } = planning;
  for (const { name, groups, uid } of accounts) {
    for (const group of groups) {
      const path = `${pathOf(group)}/subscriptions/${name}~inbox`;
      const hasTakenEffect = async (on: Machine) => {
        const owner = (await on.user(name))?.uid;
        return safeStat(on, `${path}/subscription.json`)?.uid === owner && safeStat(on, path)?.uid === owner;
      };
      const isUnseen = safeStat(machine, path) === null;
      if (isUnseen || (uid !== undefined && machine.stat(path) !== undefined && (await hasTakenEffect(machine))))
        continue;
      changes.push({
        id: `${name}/inbox-in-${group}`,
        title: `make ${name}'s inbox in ${group}, so that it can be written to before it has run`,
        action: { kind: "run", argv: ["agentbus", "setup", "inbox", name, "--group", group] },
        hasTakenEffect,
      });
    }
  }
}

export function pathOf(group: string, name = ""): string {
  return name === "" ? `${SPOOLS_DIR}/${group}` : `${SPOOLS_DIR}/${group}/${name}`;
}
