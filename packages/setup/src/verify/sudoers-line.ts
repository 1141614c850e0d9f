import { shellQuote } from "@agentbus/core";
import type { Machine } from "../machine.js";

export interface SudoersLine {
  readonly path: string;
  readonly text: string;
}

const DIR = "/etc/sudoers.d";
const MAIN = "/etc/sudoers";

/** The lines of sudoers that may give an account something: those that begin with it, with a group of it, or with everybody. */
export function linesAbout(user: string, uid: number, groups: readonly string[], machine: Machine): SudoersLine[] {
  const subjects = new Set([user, `#${uid}`, "ALL", ...groups.map((group) => `%${group}`)]);
  const files = [
    MAIN,
    ...(machine.list(DIR) ?? []).filter((name) => !/\.|~$/.test(name)).map((name) => `${DIR}/${name}`),
  ];
  return files.flatMap((path) =>
    textOf(machine, path)
      .split("\n")
      .filter((line) => subjects.has(/^\s*([^\s#][^\s=]*|#[0-9]+)\s/.exec(line)?.[1] ?? ""))
      .map((text) => ({ path, text })),
  );
}

/** Takes out the line, whatever stands in it, and looks whether sudo can still read the rest. */
export function removeLine({ path, text }: SudoersLine): string {
  const pattern = text.replaceAll(/[^A-Za-z0-9 _=]/g, ".");
  return `sed -i -e ${shellQuote(`/^${pattern}$/d`)} ${shellQuote(path)} && visudo -c`;
}

function textOf(machine: Machine, path: string): string {
  try {
    return machine.read(path) ?? "";
  } catch {
    return ""; // a directory, or not root's
  }
}
