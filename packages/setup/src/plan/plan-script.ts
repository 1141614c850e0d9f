import { octal } from "@agentbus/core";
import type { Flavour } from "../machine.js";
import type { Change, ManagedFile } from "./change.js";
import { commandText, ownership, words } from "./command-text.js";
import type { Plan } from "./make-plan.js";
import { isHonest, printfFormat, quoteWord, visibleLine } from "./shell-word.js";

/** A plan as a script that root can read and run instead of `agentbus setup apply`; it stops at the first step that fails. */
export function planScript(
  { changes, conflicts, notes }: Pick<Plan, "changes" | "conflicts" | "notes">,
  flavour: Flavour,
): string[] {
  const obstacles = conflicts.map(({ problem, fix }) => `# In the way: ${visibleLine(problem)}; ${visibleLine(fix)}`);
  return [
    "#!/bin/sh",
    "# What agentbus setup apply would do, to be run as root on the machine that it was planned for.",
    "# It keeps no ledger: afterwards, let agentbus setup apply --adopt NAME take over what you want it to look after.",
    ...notes.map((note) => `# ${visibleLine(note)}`),
    "set -eu",
    "umask 022",
    ...(conflicts.length === 0 ? [] : [...obstacles, 'echo "resolve the conflicts first" >&2; exit 1']),
    ...changes.flatMap((change) => ["", ...stepScript(change, flavour)]),
  ];
}

function stepScript({ title, remarks = [], action, isOptional }: Change, flavour: Flavour): string[] {
  const head = [title, ...remarks].map((line) => `# ${visibleLine(line)}`);
  const body = action.kind === "write" ? writeScript(action.file, flavour) : [commandText(action, flavour)];
  if (action.kind === "note") return [...head, ...body.map((line) => `# ${line}`)];
  if (isOptional === true) return [...head, "{", ...body, '} || echo "that failed, and the rest goes on" >&2'];
  return [...head, ...body];
}

/** Beside its place under a name that everybody ignores, looked at, and renamed. */
function writeScript(file: ManagedFile, flavour: Flavour): string[] {
  const { path, text, mode, check, checkWhole } = file;
  const slash = path.lastIndexOf("/") + 1;
  const staged = quoteWord(`${path.slice(0, slash)}.agentbus.${path.slice(slash)}`);
  const place = `mv -f ${staged} ${quoteWord(path)}`;
  return [
    `mkdir -p ${quoteWord(path.slice(0, slash - 1))}`,
    ...contentScript(text, staged),
    `chown ${ownership(file, flavour)} ${staged}`,
    `chmod ${octal(mode)} ${staged}`,
    ...(check === undefined ? [] : [words(check).replaceAll("'{}'", staged).replaceAll("{}", staged)]),
    ...(checkWhole === undefined ? [place] : placeScript(path, place, checkWhole)),
  ];
}

/** What was there before comes back when the whole is refused with it, as in apply: sudo would refuse everybody. */
function placeScript(path: string, place: string, checkWhole: readonly string[]): string[] {
  const slash = path.lastIndexOf("/") + 1;
  const before = quoteWord(`${path.slice(0, slash)}.agentbus.${path.slice(slash)}.before`);
  const there = quoteWord(path);
  return [
    `rm -f ${before}`,
    `if [ -e ${there} ]; then cp -p ${there} ${before}; fi`,
    place,
    `if ! ${words(checkWhole).replaceAll("'{}'", there)}; then`,
    `  if [ -e ${before} ]; then mv -f ${before} ${there}; else rm -f ${there}; fi`,
    `  echo ${quoteWord(`${path} is as it was: with the new one that check fails`)} >&2; exit 1`,
    "fi",
    `rm -f ${before}`,
  ];
}

/** All files of setup end with a newline. */
function contentScript(text: string, path: string): string[] {
  const lines = text.replace(/\n$/, "").split("\n");
  if (!isHonest(text)) return ["{", ...lines.map((line) => `printf '${printfFormat(line)}\\n'`), `} > ${path}`];
  const end = endMarker(text);
  return [`cat > ${path} <<'${end}'`, ...lines, end];
}

function endMarker(text: string): string {
  let end = "END_OF_FILE";
  while (text.split("\n").includes(end)) end += "_";
  return end;
}
