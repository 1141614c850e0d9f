import { createTwoFilesPatch } from "diff";
import type { Flavour } from "../machine.js";
import type { Action, Change } from "./change.js";
import { commandText } from "./command-text.js";
import type { Plan } from "./make-plan.js";

/** A plan as people read it: each step with its exact command, or the difference of a file. */
export function planText(
  { changes, conflicts, notes }: Pick<Plan, "changes" | "conflicts" | "notes">,
  flavour: Flavour,
): string[] {
  const width = String(changes.length).length;
  const steps = changes.flatMap((change, index) => stepText(change, String(index + 1).padStart(width), flavour));
  const obstacles = conflicts.flatMap(({ problem, fix }) => [`  ${problem}`, `    fix: ${fix}`]);
  return [
    ...steps,
    ...(conflicts.length === 0 ? [] : ["In the way, so that nothing would be applied:", ...obstacles]),
    ...(notes.length === 0 ? [] : ["To know:", ...notes.map((note) => `  ${note}`)]),
  ];
}

function stepText({ title, action, remarks = [] }: Change, number: string, flavour: Flavour): string[] {
  const indent = " ".repeat(number.length + 2);
  const command = commandLines(action, flavour);
  return [
    `${number}. ${title}`,
    ...remarks.map((remark) => `${indent}# ${remark}`),
    ...command.map((line) => `${indent}${line}`),
    ...differenceOf(action).map((line) => `${indent}  ${line}`),
  ];
}

function commandLines(action: Action, flavour: Flavour): string[] {
  if (action.kind === "run" && action.inShort !== undefined) {
    return action.as === undefined
      ? [...action.inShort]
      : [`as ${action.as.name}, in ${action.as.home}:`, ...action.inShort];
  }
  // What is no command does not look like one.
  if (action.kind === "write" || action.kind === "note") return [commandText(action, flavour)];
  return commandText(action, flavour)
    .split("\n")
    .map((line, index) => (index === 0 ? `$ ${line}` : `  ${line}`));
}

/** A unified diff of a file that is written or removed. */
function differenceOf(action: Action): string[] {
  if (action.kind !== "write" && action.kind !== "remove") return [];
  const { before } = action;
  const [path, after] = action.kind === "write" ? [action.file.path, action.file.text] : [action.path, ""];
  if (before === null) return ["(the difference can only be seen by root)"];
  const patch = createTwoFilesPatch(
    before === undefined ? "/dev/null" : path,
    action.kind === "remove" ? "/dev/null" : path,
    before ?? "",
    after,
    undefined,
    undefined,
    { context: 3 },
  );
  return patch.split("\n").filter((line) => !/^=+$/.test(line) && line !== "");
}

/** A plan for programs. */
export function planJson(
  { changes, conflicts, notes }: Pick<Plan, "changes" | "conflicts" | "notes">,
  flavour: Flavour,
): Record<string, unknown>[] {
  return [
    ...changes.map(({ id, title, action, remarks = [] }) => ({
      step: id,
      title,
      remarks,
      command: commandText(action, flavour),
      ...detailsOf(action),
    })),
    ...conflicts.map(({ id, problem, fix }) => ({ conflict: id, problem, fix })),
    ...notes.map((note) => ({ note })),
  ];
}

function detailsOf(action: Action): Record<string, unknown> {
  switch (action.kind) {
    case "run":
      return { argv: action.argv, as: action.as?.name ?? "root" };
    case "write": {
      const { path, text, mode, owner = "root", group } = action.file;
      return { path, owner, group, mode: mode.toString(8).padStart(4, "0"), text, before: action.before };
    }
    case "mode":
    case "remove":
      return { path: action.path };
    case "kill":
      return { uid: action.uid };
    case "note":
      return {};
  }
}
