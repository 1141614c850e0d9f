import type { Machine } from "../machine.js";

/** A line of sudoers that is about an account, directly or by one of its groups. */
export interface SudoersLine {
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

/**
 * Where grants may come from: lines of /etc/sudoers and of the files in sudoers.d that sudo reads, which begin with the account, one of its
 * groups, ALL, or an alias. Only a help for people: what counts is what sudo says.
 */
export function sudoersLinesAbout(machine: Machine, user: string, groups: readonly string[]): SudoersLine[] {
  const whom = new Set([user, "ALL", ...groups.map((group) => `%${group}`)]);
  return sudoersFiles(machine).flatMap((path) =>
    linesOf(machine.read(path) ?? "").flatMap(({ line, text }) => {
      const [, list = ""] = /^([^=\s]+(?:\s*,\s*[^=\s]+)*)\s+[^=]+=/.exec(text) ?? [];
      const isAbout = list.split(/\s*,\s*/).some((each) => whom.has(each) || /^[A-Z][A-Z0-9_]*$/.test(each));
      return isAbout && !/^(?:Defaults|[A-Z][a-z]+_Alias)/.test(text) ? [{ path, line, text }] : [];
    }),
  );
}

/** sudoers(5): names with a dot, or that end in a tilde, are not read. */
function sudoersFiles(machine: Machine): string[] {
  const etc = machine.flavour.platform === "darwin" ? "/private/etc" : "/etc";
  const names = machine.list(`${etc}/sudoers.d`) ?? [];
  const files = names
    .filter((name) => !name.includes(".") && !name.endsWith("~"))
    .map((name) => `${etc}/sudoers.d/${name}`);
  return [`${etc}/sudoers`, ...files].filter((path) => machine.stat(path)?.isFile() === true);
}

/** Whole lines, with those that a backslash goes on in; numbered by where they begin. */
function linesOf(text: string): { line: number; text: string }[] {
  const whole: { line: number; text: string }[] = [];
  let isContinued = false;
  for (const [index, part] of text.split("\n").entries()) {
    const last = whole.at(-1);
    if (isContinued && last !== undefined) last.text += ` ${part.trim()}`;
    else whole.push({ line: index + 1, text: part.trim() });
    isContinued = part.endsWith("\\");
    const current = whole.at(-1);
    if (isContinued && current !== undefined) current.text = current.text.slice(0, -1).trim();
  }
  return whole.filter((each) => each.text !== "" && !each.text.startsWith("#"));
}
