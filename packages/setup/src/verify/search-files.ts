import type { Machine } from "../machine.js";
import { SPOOLS_DIR } from "../spool-place.js";
import type { Examination } from "./examination.js";

/** Where everybody may put things. */
export const SHARED_DIRS = ["/tmp", "/var/tmp", "/dev/shm"];
export const SEARCH_WITHIN_MS = 20_000;

export interface Found {
  readonly path: string;
  readonly uid: number;
  readonly mode: string;
}

/**
 * Root looks for files, with find(1), which never follows a link on its way and stays on the filesystem: agents may change what is under its
 * feet.
 */
export async function searchFiles(
  { machine, agents }: Examination,
  test: readonly string[],
  dirs: readonly string[] = [...SHARED_DIRS, SPOOLS_DIR, ...agents.map(({ account }) => account.home)],
): Promise<{ found: Found[]; isComplete: boolean }> {
  const starts = [...new Set(dirs)].filter((dir) => quietly(() => machine.stat(dir)?.isDirectory()));
  if (starts.length === 0) return { found: [], isComplete: true };
  const { status, stdout, stderr } = await machine.run(["find", "-P", ...starts, "-xdev", ...test, "-print0"], {
    timeoutMs: SEARCH_WITHIN_MS,
  });
  const found = stdout
    .split("\0")
    .filter(Boolean)
    .flatMap((path) => look(machine, path));
  return { found, isComplete: status === 0 || (status === 1 && !/ permission /i.test(stderr)) };
}

function look(machine: Machine, path: string): Found[] {
  const stat = quietly(() => machine.stat(path));
  return stat === undefined ? [] : [{ path, uid: stat.uid, mode: (stat.mode & 0o7777).toString(8).padStart(4, "0") }];
}

/** What goes away meanwhile, or may not be looked at, is not there. */
export function quietly<Result>(action: () => Result): Result | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
