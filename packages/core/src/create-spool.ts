import { Accounts } from "./accounts.js";
import type { Bar } from "./barred.js";
import { nodeFileSystem } from "./file-system.js";
import type { SpoolKind } from "./permissions.js";
import type { SpoolServices } from "./spool-plan.js";
import type { SpoolLimits } from "./spool.js";

export interface CreateSpoolOptions {
  /** The Unix group that shall share the spool; only root can make one. @default `AGENTBUS_GROUP`, else it is personal */
  readonly group?: string | undefined;
  /** Where. @default `AGENTBUS_SPOOL`; else `<AGENTBUS_ROOT>/<group>`, or the place of the personal spool */
  readonly spool?: string | undefined;
  /** What the spool bears; a limit that is left out stays as it is, or has its default. A bad one throws a TypeError. */
  readonly limits?: Partial<SpoolLimits> | undefined;
  /** Accounts besides root that may publish in the name of others: all of them. @default as it is, at first none */
  readonly relays?: readonly string[] | undefined;
  /** Accounts that may from now on, beside those that may already. @default none */
  readonly relay?: readonly string[] | undefined;
  /** Those that may no longer; also an account that is gone. @default none */
  readonly unrelay?: readonly string[] | undefined;
  /** Accounts that may use no sockets, or no pipes, from now on; of a group's spool. @default none but those that may not already */
  readonly bar?: readonly Bar[] | undefined;
  /** Those that may again. @default none */
  readonly unbar?: readonly Bar[] | undefined;
  /** @default process.env */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

export interface CreatedSpool {
  readonly path: string;
  readonly kind: SpoolKind;
  readonly group: string | undefined;
  /** False when it was there already. */
  readonly created: boolean;
  /** What was put right in a spool that was there, one sentence each. */
  readonly changes: readonly string[];
}

/**
 * Makes a spool, or puts right what has changed in the owners and modes of one that is there: its own directories only,
 * never what members keep in them.
 *
 * `spool.json` is the commit point: it is written last, and a directory without it is no spool. Every step before it may be
 * repeated, so two processes may do this at once, and a crash is mended by the next run.
 *
 * Loaded when it is called: who only uses a spool shall not wait for it.
 * @throws TypeError for options that cannot be; BusError ERR_ACCESS (a group's spool needs root), ERR_ACCOUNT (no such group, or nobody of a name that is to be barred or a relay),
 *   ERR_SPOOL_UNTRUSTED (what is there, or a directory above it, belongs to somebody else), ERR_SPOOL_LAYOUT
 */
export async function createSpool(
  options: CreateSpoolOptions = {},
  services: SpoolServices = { fileSystem: nodeFileSystem, accounts: new Accounts() },
): Promise<CreatedSpool> {
  const { buildSpool } = await import("./build-spool.js");
  return buildSpool(options, services);
}
