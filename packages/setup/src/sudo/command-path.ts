import fs from "node:fs";
import { basename, dirname, resolve } from "node:path";
import type { Machine } from "../machine.js";
import { quoteWord } from "../plan/shell-word.js";
import { escapeThroughLink } from "./escape-list.js";

/** What speaks against a command on this machine. */
export interface PathObjection {
  readonly path: string;
  readonly problem: string;
  /** A command. */
  readonly remedy: string;
}

/** As many as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;

type LinkReader = (path: string) => string;

/**
 * Whether nobody but root can change what a command of a sudo rule is: the program, each link on the way to it and every
 * directory above them, judged one by one without following anything. On a pretended machine there is nothing to look at.
 */
export function examineCommand(
  machine: Machine,
  path: string,
  readLink: LinkReader = fs.readlinkSync,
): PathObjection[] {
  if (machine.access === "pretended") return [];
  try {
    return walk(machine, path, readLink);
  } catch (error) {
    // Without root some directories cannot be looked into; apply looks again.
    if (machine.access === "unprivileged" && (error as NodeJS.ErrnoException).code === "EACCES") return [];
    throw error;
  }
}

function walk(machine: Machine, path: string, readLink: LinkReader): PathObjection[] {
  const seen = new Set<string>();
  const objections: PathObjection[] = [];
  let pending = path.split("/").filter((part) => part !== "");
  let at = "";
  objections.push(...aboutPlace(machine, "/", path));
  for (let links = 0; pending.length > 0;) {
    const [part = "", ...rest] = pending;
    const here = `${at}/${part}`;
    const stat = machine.stat(here);
    if (stat === undefined) {
      const problem = `${path} cannot be allowed: ${here === path ? "there is no such program" : `${here} does not exist`}`;
      return [
        ...objections,
        {
          path: here,
          problem: `${problem}, and whoever may create it would choose what root runs`,
          remedy: `install it there as root's, or correct the path in agentbus.json; ls -ld ${quoteWord(dirname(here))}`,
        },
      ];
    }
    if (!seen.has(here))
      objections.push(
        ...(rest.length === 0 && !stat.isSymbolicLink() ? aboutProgram(here, stat) : aboutPlace(machine, here, path)),
      );
    seen.add(here);
    if (!stat.isSymbolicLink()) {
      at = here;
      pending = rest;
      continue;
    }
    if (++links > MAX_LINKS)
      return [...objections, { path: here, problem: `${path} leads in a circle`, remedy: `ls -ld ${here}` }];
    const target = resolve(dirname(here), readLink(here));
    const escape = rest.length === 0 ? escapeThroughLink(target) : undefined;
    if (escape !== undefined)
      objections.push({
        path: target,
        problem: `${path} is a link to ${target}, and an agent that may run that as root is root: ${escape.how}`,
        remedy: `readlink -f ${path}`,
      });
    pending = [...target.split("/").filter((each) => each !== ""), ...rest];
    at = "";
  }
  return objections;
}

/** A person's directory is not to become root's for the sake of one program in it: a copy of that, once it was looked at, is. */
function copyCommand({ flavour }: Machine, program: string): string {
  const dir = flavour.platform === "darwin" ? "/Library/agentbus" : "/usr/local/libexec/agentbus";
  const copy = `${dir}/${basename(program)}`;
  const command = `sudo mkdir -p ${dir} && sudo install -o root -g 0 -m 0755 ${quoteWord(program)} ${quoteWord(copy)}`;
  return `look at it, let root have a copy, and allow that in agentbus.json: ${command}`;
}

/** A directory or a link on the way. */
function aboutPlace(machine: Machine, path: string, program: string): PathObjection[] {
  const stat = machine.stat(path);
  if (stat === undefined) return [];
  if (stat.uid !== 0)
    return [
      {
        path,
        problem: `${path} belongs to uid ${stat.uid}, who can put another program there`,
        remedy: copyCommand(machine, program),
      },
    ];
  // A link's own mode means nothing; who may replace it is up to its directory.
  if (stat.isSymbolicLink() || (stat.mode & 0o1000) !== 0) return [];
  return aboutMode(path, stat.mode, "can put another program there");
}

function aboutProgram(path: string, stat: fs.Stats): PathObjection[] {
  if (!stat.isFile()) return [{ path, problem: `${path} is no program`, remedy: `ls -ld ${path}` }];
  if (stat.uid !== 0)
    return [
      {
        path,
        problem: `${path} belongs to uid ${stat.uid}, who can change what root runs`,
        remedy: `sudo chown root ${path}`,
      },
    ];
  if ((stat.mode & 0o111) === 0)
    return [{ path, problem: `${path} is not executable`, remedy: `sudo chmod 0755 ${path}` }];
  return aboutMode(path, stat.mode, "can change what root runs");
}

function aboutMode(path: string, mode: number, danger: string): PathObjection[] {
  if ((mode & 0o022) === 0) return [];
  const who = (mode & 0o002) === 0 ? "its group" : "anybody";
  return [
    {
      path,
      problem: `${path} has mode ${(mode & 0o7777).toString(8).padStart(4, "0")}: ${who} ${danger}`,
      remedy: `sudo chmod go-w ${path}`,
    },
  ];
}
