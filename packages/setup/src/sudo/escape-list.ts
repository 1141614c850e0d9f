import { basename } from "node:path";
import { CHANGE_SYSTEM } from "./escapes/change-system.js";
import type { EscapeKind, EscapeRow } from "./escapes/escape-row.js";
import { RUN_COMMANDS } from "./escapes/run-commands.js";
import { TOUCH_DATA } from "./escapes/touch-data.js";

export interface Escape {
  /** As the list has it: `python` for python3.11. */
  readonly program: string;
  readonly kind: EscapeKind;
  /** Completes "do not allow /usr/bin/less: …". */
  readonly how: string;
}

export const ESCAPE_ROWS: readonly EscapeRow[] = [...RUN_COMMANDS, ...CHANGE_SYSTEM, ...TOUCH_DATA];

/**
 * Programs that do what the name says by which they are called: /sbin/reboot is systemctl, on Alpine everything is busybox. They are
 * judged by that name, and refused by their own (`busybox sh`).
 */
const BY_CALLED_NAME: ReadonlySet<string> = new Set(["busybox", "toybox", "coreutils", "systemctl", "kmod", "initctl"]);
const MULTI_CALL = "it is many programs in one, a shell among them: its first argument chooses";

/** How somebody who may run this program as root becomes root, whatever the arguments; undefined when no way is known. */
export function escapeOf(path: string): Escape | undefined {
  return namesOf(basename(path))
    .map((name) => ESCAPES.get(name))
    .find((escape) => escape !== undefined);
}

/** The same for a program that a link leads to. @param link the path by which it is called */
export function escapeThroughLink(target: string): Escape | undefined {
  return BY_CALLED_NAME.has(basename(target)) ? undefined : escapeOf(target);
}

/** What compilers and emulators for other machines have before and after their names. */
const FOR_MACHINE = /^[a-z0-9_]+(?:-[a-z0-9]+)?-linux-(?:gnu|musl)[a-z0-9_]*-|(?<=^qemu-system)-[a-z0-9_]+$/;

/** "python3.11-config" is a program of its own; "python3.11", "python3" and "gcc-12" are versions of one. */
function namesOf(name: string): string[] {
  const withoutExtension = name.replace(/\.(?:exe|bin|real|distrib)$/i, "");
  const withoutVersion = withoutExtension.replace(/[-_.]?v?\d+(?:[._-]?\d+)*[a-z]?$/i, "");
  const withoutMachine = withoutVersion.replace(FOR_MACHINE, "");
  return [
    ...new Set([
      name,
      withoutExtension,
      withoutVersion,
      name.replace(FOR_MACHINE, ""),
      withoutMachine,
      name.split(".")[0] ?? name,
    ]),
  ];
}

const ESCAPES: ReadonlyMap<string, Escape> = new Map([
  ...["busybox", "toybox", "coreutils"].map((program): [string, Escape] => [
    program,
    { program, kind: "shell", how: MULTI_CALL },
  ]),
  ...ESCAPE_ROWS.flatMap(({ kind, how, programs }) =>
    programs
      .trim()
      .split(/\s+/)
      .map((program): [string, Escape] => [program, { program, kind, how }]),
  ),
]);
