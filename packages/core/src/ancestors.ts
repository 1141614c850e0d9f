import fs from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { FileSystem } from "./file-system.js";

export interface WeakAncestor {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** Who may put another directory in the place of what is in it: its owner, its group's members, or anybody. */
  readonly who: "owner" | "group" | "anybody";
}

/**
 * The directories above a path that belong to another account than root and this one, or that others may write to: a path is
 * worth no more than the weakest directory on the way to it. Sticky ones, such as /tmp, do no harm (unlink(2)).
 *
 * @param path absolute; what does not exist yet is left out
 */
export function weakAncestors(fileSystem: FileSystem, path: string): WeakAncestor[] {
  // Where a component is a symbolic link (macOS: /var, /tmp), both ways matter: to the link and to what it leads to.
  const dirs = new Set([...ancestorsOf(path), ...ancestorsOf(join(realPathOf(dirname(path)), "spool"))]);
  return [...dirs].sort().flatMap((dir) => weaknessOf(fileSystem, dir) ?? []);
}

/** From "/" downwards, without the path itself. */
export function ancestorsOf(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [...ancestorsOf(parent), parent];
}

function weaknessOf(fileSystem: FileSystem, path: string): WeakAncestor | undefined {
  let stat: fs.Stats;
  try {
    stat = fileSystem.lstat(path);
  } catch {
    return undefined;
  }
  if (!stat.isDirectory()) return undefined;
  const { uid, gid, mode } = stat;
  if (uid !== 0 && uid !== process.geteuid?.()) return { path, uid, gid, mode, who: "owner" };
  const isSticky = (mode & 0o1000) !== 0;
  if (isSticky || (mode & 0o022) === 0) return undefined;
  return { path, uid, gid, mode, who: (mode & 0o002) === 0 ? "group" : "anybody" };
}

/** The real path of the deepest directory that is there. */
function realPathOf(dir: string): string {
  try {
    return fs.realpathSync(dir);
  } catch {
    return dir === dirname(dir) ? resolve(dir) : realPathOf(dirname(dir));
  }
}
