import { dirname, resolve } from "node:path";
import type { Machine } from "../machine.js";

/** A line of sudoers that is about an account, directly, by one of its groups, or by an alias. */
export interface SudoersLine {
  readonly path: string;
  readonly line: number;
  readonly text: string;
  /** For whom it is, as it stands there. */
  readonly subjects: readonly string[];
  /** The same with what aliases stand for. */
  readonly accounts: readonly string[];
  /** What it allows, with what the aliases in it stand for. */
  readonly allows: string;
  /** Whether it stands in one line of the file. */
  readonly isOneLine: boolean;
}

interface Line extends Pick<SudoersLine, "line" | "isOneLine"> {
  text: string;
}

const MAX_FILES = 100;
const INCLUDE = /^[@#](include|includedir)\s+"?([^"]*?)"?\s*$/;

/**
 * Where grants may come from: lines of the files that sudo reads which begin with the account, one of its groups, ALL, or an alias for
 * one of these. Only a help for people: what counts is what sudo says.
 */
export function sudoersLinesAbout(
  machine: Machine,
  { name, uid }: { readonly name: string; readonly uid?: number | undefined },
  groups: readonly string[],
): SudoersLine[] {
  const files = sudoersFiles(machine);
  const aliases = aliasesIn(files.flatMap(({ lines }) => lines));
  const whom = new Set([name, "ALL", ...(uid === undefined ? [] : [`#${uid}`]), ...groups.map((group) => `%${group}`)]);
  return files.flatMap(({ path, lines }) =>
    lines.flatMap(({ line, text, isOneLine }) => {
      if (/^(?:Defaults|[A-Z][a-z]+_Alias|[@#]include)/.test(text)) return [];
      const [, list = "", allows = ""] = /^([^=\s,]+(?:\s*,\s*[^=\s,]+)*)\s+[^=]+=(.*)$/.exec(text) ?? [];
      const subjects = listOf(list);
      const accounts = subjects.flatMap((subject) => meant(subject, aliases));
      if (!accounts.some((each) => whom.has(each))) return [];
      const words = allows.split(/[\s,]+/).flatMap((word) => (aliases.has(word) ? meant(word, aliases) : []));
      return [{ path, line, text, subjects, accounts, allows: [allows.trim(), ...words].join(", "), isOneLine }];
    }),
  );
}

interface SudoersFile {
  readonly path: string;
  readonly lines: readonly Line[];
}

/** The files that sudo reads, in their order, with those that they include. */
function sudoersFiles(machine: Machine): SudoersFile[] {
  const etc = machine.flavour.platform === "darwin" ? "/private/etc" : "/etc";
  const found = new Map<string, SudoersFile>();
  const read = (path: string) => {
    if (found.has(path) || found.size >= MAX_FILES || machine.stat(path)?.isFile() !== true) return;
    const lines = linesOf(machine.read(path) ?? "");
    found.set(path, { path, lines });
    for (const { text } of lines) {
      const [, kind, target = ""] = INCLUDE.exec(text) ?? [];
      const included = resolve(dirname(path), target);
      if (kind === "include") read(included);
      if (kind === "includedir") for (const each of filesOf(machine, included)) read(each);
    }
  };
  read(`${etc}/sudoers`);
  for (const path of filesOf(machine, `${etc}/sudoers.d`)) read(path);
  return [...found.values()];
}

/** sudoers(5): names with a dot, or that end in a tilde, are not read. */
function filesOf(machine: Machine, dir: string): string[] {
  if (machine.stat(dir)?.isDirectory() !== true) return [];
  const names = machine.list(dir) ?? [];
  return names.filter((name) => !name.includes(".") && !name.endsWith("~")).map((name) => `${dir}/${name}`);
}

/** Whole lines, with those that a backslash goes on in; numbered by where they begin. */
function linesOf(text: string): Line[] {
  const whole: Line[] = [];
  let isContinued = false;
  for (const [index, part] of text.split("\n").entries()) {
    const last = whole.at(-1);
    const isNow = part.endsWith("\\");
    const words = (isNow ? part.slice(0, -1) : part).trim();
    if (isContinued && last !== undefined)
      whole[whole.length - 1] = { ...last, text: `${last.text} ${words}`, isOneLine: false };
    else whole.push({ line: index + 1, text: words, isOneLine: true });
    isContinued = isNow;
  }
  // "#1001" is an account by its uid, and "#include" no comment.
  return whole.filter(({ text: each }) => each !== "" && !/^#(?!\d|include(?:dir)?\s)/.test(each));
}

/** What the aliases of users and of commands stand for, by their names. */
function aliasesIn(lines: readonly Line[]): Map<string, readonly string[]> {
  const aliases = new Map<string, readonly string[]>();
  for (const { text } of lines) {
    const [, definitions] = /^(?:User|Cmnd|Cmd)_Alias\s+(.*)$/.exec(text) ?? [];
    for (const definition of definitions?.split(/\s:\s/) ?? []) {
      const [, name = "", members = ""] = /^\s*([A-Z][A-Z0-9_]*)\s*=(.*)$/.exec(definition) ?? [];
      if (name !== "") aliases.set(name, listOf(members));
    }
  }
  return aliases;
}

function listOf(text: string): string[] {
  return text
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
}

/** A name itself, or what it stands for, through aliases of aliases. */
function meant(name: string, aliases: ReadonlyMap<string, readonly string[]>, depth = 8): string[] {
  const members = aliases.get(name);
  if (members === undefined || depth === 0) return [name];
  return members.flatMap((member) => meant(member, aliases, depth - 1));
}
