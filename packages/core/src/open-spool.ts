import { join } from "node:path";
import { Accounts } from "./accounts.js";
import { BusError, errnoOf, fromErrno } from "./errors.js";
import { nodeFileSystem, type FileSystem } from "./file-system.js";
import { findSpool } from "./find-spool.js";
import { NameSource } from "./message-name.js";
import type { SpoolChoice } from "./spool-location.js";
import { Spool } from "./spool.js";
import { TopicSchemas } from "./topic-schemas.js";

/** What everything stands on; tests put others in. */
export interface SpoolSeams {
  readonly fileSystem?: FileSystem;
  readonly accounts?: Accounts;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Finds a spool and reads what it says about itself, without changing anything in it; a personal one is made if it is missing.
 * @throws BusError all that `findSpool` throws, ERR_ACCOUNT, ERR_PLATFORM
 */
export async function openSpool(choice: SpoolChoice, seams: SpoolSeams = {}): Promise<Spool> {
  const fileSystem = seams.fileSystem ?? nodeFileSystem;
  requireProc(fileSystem);
  const accounts = seams.accounts ?? new Accounts({ fileSystem });
  const facts = await findSpool(choice, seams.env ?? process.env, { fileSystem, accounts });
  const schemas = new TopicSchemas(fileSystem, join(facts.path, "schemas"), fileSystem.lstat(facts.path).uid);
  return new Spool(facts, { fileSystem, accounts, names: new NameSource(), schemas }, accounts.currentUser());
}

/**
 * Other accounts' directories are used through `/proc/self/fd` (directory.ts). In a sandbox without it, or with that of another pid
 * namespace, every subscription would look removed, and publishing would store nothing without a word.
 */
function requireProc(fileSystem: FileSystem): void {
  if (process.platform !== "linux") return;
  try {
    fileSystem.lstat(PROC_FD);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR") throw fromErrno(error, "look at", PROC_FD);
    throw new BusError("ERR_PLATFORM", `cannot use a spool without ${PROC_FD}: this process has no /proc of its own`, {
      path: PROC_FD,
      cause: error,
      fix: "mount one where it runs: mount -t proc proc /proc, or bwrap --proc /proc",
    });
  }
}

const PROC_FD = "/proc/self/fd";
