import { join } from "node:path";
import type { Accounts } from "./accounts.js";
import { BusError, errnoOf, fromErrno } from "./errors.js";
import type { FileSystem } from "./file-system.js";
import { makeDirectory } from "./make-directory.js";
import type { NameSource } from "./message-name.js";
import { directoryMode, OUTBOX_MODE, READABLE_MODE, type SpoolKind } from "./permissions.js";
import type { TopicSchemas } from "./topic-schemas.js";

/** What `spool.json` allows at most. */
export interface SpoolLimits {
  /** Bytes of one envelope as JSON. @default 4194304 */
  readonly maxEnvelopeBytes: number;
  /** Messages that may lead to one another. @default 16 */
  readonly maxHops: number;
  /** Files that may wait in one subscription that names no limit of its own. @default 100000 */
  readonly maxBacklog: number;
}

export interface SpoolFacts {
  readonly path: string;
  readonly kind: SpoolKind;
  /** The Unix group, of a group's spool. */
  readonly group?: string | undefined;
  readonly gid: number;
  readonly limits: SpoolLimits;
}

export interface SpoolServices {
  readonly fileSystem: FileSystem;
  readonly accounts: Accounts;
  readonly names: NameSource;
  readonly schemas: TopicSchemas;
}

/** One spool as one account uses it: where things are, who asks, and what is allowed. */
export class Spool implements SpoolFacts, SpoolServices {
  readonly path: string;
  readonly kind: SpoolKind;
  readonly group: string | undefined;
  readonly gid: number;
  readonly limits: SpoolLimits;
  readonly fileSystem: FileSystem;
  readonly accounts: Accounts;
  readonly names: NameSource;
  readonly schemas: TopicSchemas;
  readonly user: string;
  readonly uid: number;
  /** `/agents/<user>`. */
  readonly source: string;

  readonly subscriptionsDir: string;
  readonly queuesDir: string;
  /** `outbox/<user>`: drafts live here, in the spool's group and on its filesystem. */
  readonly outboxDir: string;
  /** `run/<user>`: what the others may see of this account's processes. */
  readonly runDir: string;

  constructor(facts: SpoolFacts, services: SpoolServices, account: { readonly user: string; readonly uid: number }) {
    this.path = facts.path;
    this.kind = facts.kind;
    this.group = facts.group;
    this.gid = facts.gid;
    this.limits = facts.limits;
    this.fileSystem = services.fileSystem;
    this.accounts = services.accounts;
    this.names = services.names;
    this.schemas = services.schemas;
    this.user = account.user;
    this.uid = account.uid;
    this.source = `/agents/${account.user}`;
    this.subscriptionsDir = join(facts.path, "subscriptions");
    this.queuesDir = join(facts.path, "queues");
    this.outboxDir = join(facts.path, "outbox", account.user);
    this.runDir = join(facts.path, "run", account.user);
  }

  /** Makes this account's own directory outside of `subscriptions/`, unless it stands there already. */
  ensureOutbox(): void {
    this.ensureOwnDirectory(this.outboxDir, OUTBOX_MODE);
  }

  ensureRunDir(): void {
    this.ensureOwnDirectory(this.runDir, READABLE_MODE);
  }

  /** @throws BusError ERR_SQUATTED when somebody else made a directory (or anything) of this name */
  ensureOwnDirectory(dir: string, groupMode: number): void {
    if (this.isOwnDirectory(dir)) return;
    try {
      makeDirectory(this.fileSystem, dir, directoryMode(this.kind, groupMode));
    } catch (error) {
      // Another process of this account may have been faster.
      if (errnoOf(error) === "EEXIST" && this.isOwnDirectory(dir)) return;
      throw fromErrno(error, "make", dir);
    }
  }

  /** Whether the directory is there; somebody else's is an error that names them. */
  isOwnDirectory(dir: string): boolean {
    try {
      const stat = this.fileSystem.lstat(dir);
      if (stat.isDirectory() && stat.uid === this.uid) return true;
      throw this.squatted(dir, stat.uid);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return false;
      throw fromErrno(error, "look at", dir);
    }
  }

  squatted(path: string, uid: number): BusError {
    const squatter = this.accounts.userOf(uid) ?? `uid ${uid}`;
    return new BusError("ERR_SQUATTED", `cannot use ${path}: it belongs to ${squatter}, not to ${this.user}`, {
      path,
      fix: `sudo rm -r ${path}`,
      details: { squatter, uid },
    });
  }
}
