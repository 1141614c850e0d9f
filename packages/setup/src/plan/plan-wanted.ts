import type { Origin } from "../ledger.js";
import type { Machine } from "../machine.js";
import { moveAway } from "../own-command.js";
import { UnsafePath } from "../system/root-file.js";
import { UNSEEN } from "./as-agent.js";
import type { Change, Wanted, WantedCommand, WantedFile } from "./change.js";
import type { Planning } from "./planning.js";

/** Compares what a part wants with the machine, and makes changes of the difference. @param agent whose it is; none: everybody's */
export async function planWanted(planning: Planning, wanted: Wanted, agent?: string): Promise<void> {
  const { files, commands, conflicts = [], notes = [] } = wanted;
  planning.conflicts.push(...conflicts);
  planning.notes.push(...notes);
  for (const { path } of files) planning.wantedKeys.add(`file:${path}`);
  for (const { id, setting } of commands) {
    planning.wantedKeys.add(setting === undefined ? `command:${id}` : `setting:${setting.key}`);
  }
  const written = new Set<string>();
  for (const file of files) {
    const followers = commands.filter(({ afterFiles = [] }) => afterFiles.includes(file.id));
    const changes = planFile(planning, file, agent).map((change) =>
      change.action.kind === "write" && followers.length > 0
        ? { ...change, makesDue: followers.map(({ id }) => dueOf(id, agent)) }
        : change,
    );
    if (changes.length > 0) written.add(file.id);
    planning.changes.push(...changes);
  }
  for (const command of commands) {
    const isDue =
      planning.ledger.has(dueOf(command.id, agent).key) || (command.afterFiles ?? []).some((id) => written.has(id));
    if (isDue || !(await command.isDone(planning.machine))) planning.changes.push(changeOf(command, agent));
  }
}

/** What the ledger notes of a command that has to follow a file, until it has. */
function dueOf(id: string, agent: string | undefined): Origin {
  return { key: `due:${id}`, how: "made", ...(agent === undefined ? {} : { agent }) };
}

function planFile({ machine, ledger, conflicts }: Planning, file: WantedFile, agent: string | undefined): Change[] {
  const before = contentOf(machine, file.path);
  const key = `file:${file.path}`;
  if (before instanceof UnsafePath) {
    conflicts.push({ id: file.id, problem: before.message, fix: `look at it: ls -ld ${before.path}` });
    return [];
  }
  if (typeof before === "string" && before !== file.text && !ledger.has(key)) {
    conflicts.push({
      id: file.id,
      problem: `${file.path} is there already, and setup did not make it`,
      fix: moveAway(file.path, machine.flavour),
    });
    return [];
  }
  // In a directory that only root may enter there is nothing to be seen.
  const stat = before === null ? undefined : machine.stat(file.path);
  const owner = agent === undefined ? {} : { agent };
  if (before === file.text && stat !== undefined && hasRights(machine, file, stat))
    return ledger.has(key) ? [] : [asWritten(file, { key, how: "made", ...owner })];
  return [
    ...parents(machine, file.path, agent),
    {
      id: file.id,
      title: file.title,
      action: { kind: "write", file, before },
      remarks: [...(file.remarks ?? []), ...(before === null ? [UNSEEN] : [])],
      origin: { key, how: "made", ...owner },
      hasTakenEffect: (on) => {
        const now = on.stat(file.path);
        return Promise.resolve(on.read(file.path) === file.text && now !== undefined && hasRights(on, file, now));
      },
    },
  ];
}

/** Word for word what setup would write: somebody has run its plan by hand. */
function asWritten({ id, path }: WantedFile, origin: Origin): Change {
  return {
    id,
    title: `look after ${path}, which is there already as it should be`,
    action: { kind: "note" },
    origin,
    hasTakenEffect: () => Promise.resolve(true),
  };
}

/** Files of setup are root's. */
function hasRights(
  { access }: Machine,
  { mode }: WantedFile,
  stat: { readonly mode: number; readonly uid: number },
): boolean {
  return access === "pretended" || (stat.uid === 0 && (stat.mode & 0o7777) === mode);
}

/** null: it cannot be read as this account. */
function contentOf(machine: Machine, path: string): string | undefined | null | UnsafePath {
  try {
    return machine.read(path);
  } catch (error) {
    if (error instanceof UnsafePath) return error;
    if ((error as NodeJS.ErrnoException).code === "EACCES") return null;
    throw error;
  }
}

/** Directories that have to be made first, such as /etc/systemd/system/user-2000.slice.d. */
function parents(machine: Machine, path: string, agent: string | undefined): Change[] {
  const dir = path.slice(0, path.lastIndexOf("/"));
  if (machine.access === "pretended" || dir === "" || machine.stat(dir) !== undefined) return [];
  return [
    ...parents(machine, dir, agent),
    {
      id: `directory:${dir}`,
      title: `make the directory ${dir}`,
      action: { kind: "run", argv: ["install", "-d", "-m", "0755", dir] },
      origin: { key: `directory:${dir}`, how: "made", ...(agent === undefined ? {} : { agent }) },
      hasTakenEffect: (on) => Promise.resolve(on.stat(dir)?.isDirectory() === true),
    },
  ];
}

function changeOf(command: WantedCommand, agent: string | undefined): Change {
  const { id, title, argv, remarks, isOptional, retries, isDone, hasTakenEffect = isDone, settlesWithinMs } = command;
  const origin = originOf(command, agent);
  return {
    id,
    title,
    action: { kind: "run", argv, ...(retries === undefined ? {} : { retries }) },
    ...(remarks === undefined ? {} : { remarks }),
    ...(isOptional === undefined ? {} : { isOptional }),
    ...(origin === undefined ? {} : { origin }),
    ...(settlesWithinMs === undefined ? {} : { settlesWithinMs }),
    ...(command.afterFiles === undefined ? {} : { forgets: [dueOf(id, agent).key] }),
    hasTakenEffect,
  };
}

/** Only what can be taken back is noted: a daemon that was told to read its files again is not. */
function originOf({ id, setting, undo }: WantedCommand, agent: string | undefined): Origin | undefined {
  if (undo === undefined) return undefined;
  const owner = agent === undefined ? {} : { agent };
  if (setting === undefined) return { key: `command:${id}`, how: "made", undo: undo.argv, ...owner };
  const restore = undo.argv.map((word) => word.replaceAll("{before}", setting.value));
  const values = { before: setting.value, set: [setting.wanted] };
  return { key: `setting:${setting.key}`, how: "changed", ...values, undo: restore, ...owner };
}
