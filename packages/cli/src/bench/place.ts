import { existsSync, mkdtempSync, realpathSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { spoolPath } from "@agentbus/core";
import { UsageError } from "../failure.js";

export interface PlaceOptions {
  /** Where the throwaway directory goes. @default beside the spool, where that can be, else the system's temporary directory */
  readonly dir?: string;
  readonly spool?: string;
  readonly group?: string;
}

export interface Place {
  /** Made for this run, empty, and nobody else's. */
  readonly dir: string;
  /** The user's spool when it is on another filesystem, which may be slower or faster. */
  readonly spoolElsewhere: string | undefined;
}

/** What a socket's address holds on macOS; Linux takes four more (unix(4), unix(7)). */
const MAX_SOCKET_PATH_BYTES = 103;
const LONGEST_NAME = "/agentbus-bench-XXXXXX/socket";

/**
 * Makes the throwaway directory, on the filesystem of the spool that the user would use, if possible.
 * @throws UsageError when it cannot be made in `dir`; what `openBus` throws for a spool that cannot be used
 */
export async function makePlace({ dir, spool, group }: PlaceOptions): Promise<Place> {
  if (dir !== undefined) return { dir: makeIn(dir), spoolElsewhere: undefined };
  const path = await spoolPath({ spool, group });
  const beside = path === undefined ? undefined : tryToMakeIn(dirname(path));
  const made = beside ?? makeIn(tmpdir());
  const isElsewhere = path !== undefined && statSync(path).dev !== statSync(made).dev;
  return { dir: made, spoolElsewhere: isElsewhere ? path : undefined };
}

function tryToMakeIn(parentDir: string): string | undefined {
  try {
    return makeIn(parentDir);
  } catch {
    return undefined;
  }
}

function makeIn(parentDir: string): string {
  try {
    const realDir = realpathSync(parentDir);
    const spoolDir = spoolAround(realDir);
    if (spoolDir !== undefined) throw new Error(`it is inside of the spool ${spoolDir}, which is not to be disturbed`);
    if (Buffer.byteLength(realDir + LONGEST_NAME) > MAX_SOCKET_PATH_BYTES)
      throw new Error(
        `its path is too long for that of a socket, ${MAX_SOCKET_PATH_BYTES} bytes with "${LONGEST_NAME}"`,
      );
    return mkdtempSync(join(realDir, "agentbus-bench-"));
  } catch (error) {
    throw new UsageError(
      `cannot make a throwaway spool in ${parentDir}: ${(error as Error).message}`,
      "agentbus bench --dir DIR, with a directory that is there and that you may write to",
    );
  }
}

function spoolAround(dir: string): string | undefined {
  if (existsSync(join(dir, "spool.json"))) return dir;
  return dirname(dir) === dir ? undefined : spoolAround(dirname(dir));
}
