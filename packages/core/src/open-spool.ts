import { join } from "node:path";
import { Accounts } from "./accounts.js";
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
 * @throws BusError all that `findSpool` throws, ERR_ACCOUNT
 */
export async function openSpool(choice: SpoolChoice, seams: SpoolSeams = {}): Promise<Spool> {
  const fileSystem = seams.fileSystem ?? nodeFileSystem;
  const accounts = seams.accounts ?? new Accounts({ fileSystem });
  const facts = await findSpool(choice, seams.env ?? process.env, { fileSystem, accounts });
  const schemas = new TopicSchemas(fileSystem, join(facts.path, "schemas"), fileSystem.lstat(facts.path).uid);
  return new Spool(facts, { fileSystem, accounts, names: new NameSource(), schemas }, accounts.currentUser());
}
