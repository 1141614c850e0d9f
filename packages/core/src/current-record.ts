import { join } from "node:path";
import { readSmallFile } from "./bounded-read.js";
import { BusError, fromErrno } from "./errors.js";
import type { FileSystem } from "./file-system.js";
import { MAX_RECORD_BYTES, parseRecord, SPOOL_FILE, type SpoolRecord } from "./spool-file.js";

const OTHERS_MAY_WRITE = 0o022;

/**
 * What `spool.json` says now: it is read again whenever it is another file than before, so that what root decides holds for the next
 * message or connection, and not for the next start.
 */
export class CurrentRecord {
  readonly #spool: { readonly path: string; readonly fileSystem: FileSystem };
  #seen = "";
  #record: SpoolRecord | undefined;

  constructor(spool: { readonly path: string; readonly fileSystem: FileSystem }) {
    this.#spool = spool;
  }

  /** @throws BusError ERR_SPOOL_UNTRUSTED, ERR_SPOOL_LAYOUT, ERR_ACCESS, ERR_IO: what cannot be read allows nothing */
  look(): SpoolRecord {
    const { fileSystem, path: spoolDir } = this.#spool;
    const path = join(spoolDir, SPOOL_FILE);
    try {
      const { ino, ctimeMs, size } = fileSystem.lstat(path);
      const now = `${ino} ${ctimeMs} ${size}`;
      if (this.#record === undefined || now !== this.#seen) {
        this.#record = trusted(path, fileSystem);
        this.#seen = now;
      }
      return this.#record;
    } catch (error) {
      throw fromErrno(error, "read", path);
    }
  }
}

/** The directory that it is in was found to be root's when the spool was opened. */
function trusted(path: string, fileSystem: FileSystem): SpoolRecord {
  const { stat, bytes } = readSmallFile(fileSystem, path, MAX_RECORD_BYTES);
  if ((stat.uid === 0 || stat.uid === process.geteuid?.()) && (stat.mode & OTHERS_MAY_WRITE) === 0)
    return parseRecord(path, bytes);
  throw new BusError("ERR_SPOOL_UNTRUSTED", `cannot use ${path}: others than root may write to it`, {
    path,
    fix: "agentbus doctor",
  });
}
