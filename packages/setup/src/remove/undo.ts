import type { Origin } from "../ledger.js";
import type { Machine } from "../machine.js";
import { UNSEEN } from "../plan/as-agent.js";
import type { Change } from "../plan/change.js";
import { LAUNCHD_DRAIN_MS } from "../services/launchd-plist.js";

/** Runs what takes commands and settings back, the last first: services are stopped, settings get their old values. */
export function undoing(entries: readonly Origin[]): Change[] {
  return entries.toReversed().flatMap(({ key, undo, before }) => {
    if (undo === undefined) return [];
    return [
      {
        id: `${key}/undone`,
        title:
          before === undefined
            ? `take back ${key.replace(/^command:/, "")}`
            : key.startsWith("home:")
              ? `give ${undo.at(-1) ?? ""} its old mode ${before}`
              : `give ${key.replace(/^setting:/, "")} its old value ${before}`,
        action: { kind: "run", argv: undo },
        forgets: [key],
        ...proofOf(undo),
      } satisfies Change,
    ];
  });
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
