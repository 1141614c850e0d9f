import { octal } from "@agentbus/core";
import { CLOSED_HOME, closedMode } from "../closed-home.js";
import type { Origin } from "../ledger.js";
import type { Machine } from "../machine.js";
import { UNSEEN } from "../plan/as-agent.js";
import type { Change } from "../plan/change.js";
import { powerSetting, wantedPowerSetting } from "../power/power-wanted.js";
import { LAUNCHD_DRAIN_MS } from "../services/launchd-plist.js";
import type { Removing } from "./plan-removal.js";
import { valueBack } from "./value-back.js";

/**
 * Runs what takes commands and settings back, the last first: services are stopped, settings get their old values, unless somebody has given
 * them others since.
 */
export async function undoing(
  where: Pick<Removing, "machine" | "notes">,
  entries: readonly Origin[],
): Promise<Change[]> {
  const changes: Change[] = [];
  for (const entry of entries.toReversed()) {
    if (entry.key.startsWith("setting:")) changes.push(...(await settingBack(where, entry)));
    else if (entry.key.startsWith(CLOSED_HOME)) changes.push(...(await homeOpening(where, entry)));
    else if (entry.undo !== undefined) changes.push(commandBack(entry, entry.undo));
  }
  return changes;
}

function commandBack({ key }: Origin, undo: readonly string[]): Change {
  return {
    id: `${key}/undone`,
    title: `take back ${key.replace(/^command:/, "")}`,
    action: { kind: "run", argv: undo },
    forgets: [key],
    ...proofOf(undo),
  };
}

async function settingBack(where: Pick<Removing, "machine" | "notes">, entry: Origin): Promise<Change[]> {
  const { key, before, undo } = entry;
  if (before === undefined || undo === undefined) return [];
  const name = key.slice("setting:".length);
  const now = (on: Machine) => powerSetting(on, name);
  const step: Change = {
    id: `${key}/undone`,
    title: `give ${name} its old value ${before}`,
    action: { kind: "run", argv: undo },
    forgets: [key],
    hasTakenEffect: async (on) => (await now(on)) === before,
  };
  // An earlier version did not note what it made of a setting, and always made the same of it.
  const set = entry.set ?? [wantedPowerSetting(name)];
  const back = await valueBack(where, { what: `the setting ${name}`, entry: { ...entry, set }, now }, [step]);
  return back.length > 0 ? back : [forgetting(key, `leave ${name} as it is`)];
}

/** A person's home that verify has closed: by its descriptor, since the person could put something else in its place. */
async function homeOpening(where: Pick<Removing, "machine" | "notes">, entry: Origin): Promise<Change[]> {
  const { key, before, undo } = entry;
  const path = undo?.at(-1);
  if (before === undefined || path === undefined) return [];
  const name = key.slice(CLOSED_HOME.length);
  const human = await where.machine.user(name);
  const now = (on: Machine) => {
    const stat = on.stat(path);
    return Promise.resolve(stat?.isDirectory() === true && stat.uid === human?.uid ? octal(stat.mode) : undefined);
  };
  // An earlier version did not note what closing makes of a mode.
  const set = entry.set ?? [octal(closedMode(Number.parseInt(before, 8)))];
  const step: Change = {
    id: `${key}/undone`,
    title: `give ${path} its old mode ${before}`,
    action: { kind: "mode", path, owner: name, mode: Number.parseInt(before, 8) },
    forgets: [key],
    hasTakenEffect: async (on) => (await now(on)) === before,
  };
  return valueBack(where, { what: `the mode of ${path}`, entry: { ...entry, set }, now }, [step]);
}

function forgetting(key: string, title: string): Change {
  return {
    id: `${key}/undone`,
    title,
    action: { kind: "note" },
    forgets: [key],
    hasTakenEffect: () => Promise.resolve(true),
  };
}

/**
 * How to see that something was taken back. The ledger keeps the command alone, so it is known by its first words; of others the exit
 * code is all there is.
 */
function proofOf(undo: readonly string[]): Pick<Change, "hasTakenEffect" | "believesExitCode" | "settlesWithinMs"> {
  const target = undo.at(-1) ?? "";
  const isGone = (argv: readonly string[], says: RegExp) => async (on: Machine) =>
    !says.test((await on.run(argv)).stdout);
  switch (undo.slice(0, 2).join(" ")) {
    case "systemctl disable":
      return { hasTakenEffect: isGone(["systemctl", "is-active", target], /^(?:active|activating|reloading)$/m) };
    case "launchctl bootout":
      return {
        hasTakenEffect: async (on) => (await on.run(["launchctl", "print", target])).status !== 0,
        settlesWithinMs: LAUNCHD_DRAIN_MS,
      };
    case "rm -f":
      return { hasTakenEffect: (on) => Promise.resolve(on.stat(target) === undefined) };
    default:
      return { believesExitCode: true, hasTakenEffect: () => Promise.resolve(true) };
  }
}

/**
 * A file that setup wrote, or a directory that it made and that is empty by now. The ledger forgets files of systemd only when systemd
 * has: see `reloading`.
 */
export function fileRemoval(machine: Machine, { key }: Origin): Change[] {
  const isDirectory = key.startsWith("directory:");
  const path = key.slice(key.indexOf(":") + 1);
  const forgets = isOfSystemd(machine, key) ? {} : { forgets: [key] };
  const stat = unlessHidden(() => machine.stat(path));
  if (stat === undefined) {
    if (forgets.forgets === undefined) return [];
    return [
      {
        id: removalId(key),
        title: `forget ${path}, which is gone`,
        action: { kind: "note" },
        ...forgets,
        hasTakenEffect: () => Promise.resolve(true),
      },
    ];
  }
  return [
    {
      id: removalId(key),
      title: `remove ${path}`,
      action: isDirectory
        ? { kind: "run", argv: ["rmdir", path] }
        : { kind: "remove", path, before: unlessHidden(() => machine.read(path)) },
      ...(stat === null ? { remarks: [UNSEEN] } : {}),
      ...forgets,
      hasTakenEffect: (on) => Promise.resolve(on.stat(path) === undefined),
    },
  ];
}

/** null: a plan that is made without root may not look, as at sudo's files. */
function unlessHidden<Seen>(look: () => Seen): Seen | null {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") return null;
    throw error;
  }
}

/**
 * systemd forgets units whose files are gone; one that has failed only when it is told to. The ledger forgets the files last of all, so
 * that a removal that was stopped in between does this again.
 */
export function reloading(machine: Machine, name: string, entries: readonly Origin[]): Change[] {
  const keys = entries.flatMap(({ key }) => (isOfSystemd(machine, key) ? [key] : []));
  if (keys.length === 0) return [];
  const units = keys.filter((key) => key.endsWith(".service")).map((key) => key.slice(key.lastIndexOf("/") + 1));
  return [
    ...units.map((unit): Change => ({
      id: `${name}/systemd-forgets:${unit}`,
      title: `let systemd forget that ${unit} has failed`,
      action: { kind: "run", argv: ["systemctl", "reset-failed", unit] },
      ifStill: true,
      hasTakenEffect: async (on) => !(await on.run(["systemctl", "is-failed", unit])).stdout.startsWith("failed"),
    })),
    {
      id: `${name}/systemd-reload`,
      title: "let systemd read its files again",
      action: { kind: "run", argv: ["systemctl", "daemon-reload"] },
      forgets: keys,
      needs: keys.map(removalId),
      believesExitCode: true,
      hasTakenEffect: () => Promise.resolve(true),
    },
  ];
}

function removalId(key: string): string {
  return `${key}/removed`;
}

function isOfSystemd({ flavour }: Machine, key: string): boolean {
  return flavour.hasSystemd && key.startsWith("file:/etc/systemd/");
}
