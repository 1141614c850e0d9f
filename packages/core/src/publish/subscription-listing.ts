import { errnoOf, fromErrno } from "../errors.js";
import { beforeReading, isProof } from "../freshness.js";
import type { Presence } from "../presence.js";
import type { Spool } from "../spool.js";
import {
  parseSubscriptionName,
  readSubscriptionRecord,
  SUBSCRIPTION_FILE,
  type SubscriptionRecord,
} from "../subscription-record.js";
import { PinBoard } from "./pin-board.js";
import { isGone, Target, type TargetIdentity } from "./target.js";

/** How soon a subscription that did not count is looked at again, in milliseconds. */
const LOOK_AGAIN_MS = 5_000;

interface Entry {
  /** Identifies the version of `subscription.json` that was read. */
  readonly stamp: string;
  /** Whether any later version must have another stamp. */
  readonly isProven: boolean;
  readonly target: Target | undefined;
}

/** One directory of subscriptions, and what was last read in it. */
export class SubscriptionListing {
  entries = new Map<string, Entry>();
  /** Owners of subscriptions whose names only the system's account database may know. */
  readonly unknownOwners = new Set<number>();
  readonly #pinBoard = new PinBoard();
  #changeTimeMs: number | undefined;
  /** By performance.now(). */
  #lookAgainAt = Infinity;

  constructor(
    private readonly spool: Spool,
    private readonly dir: string,
    private readonly isQueues: boolean,
  ) {}

  forget(): void {
    this.#changeTimeMs = undefined;
  }

  /** Brings the entries up to date. @returns whether they may have changed */
  refresh(): boolean {
    const { fileSystem } = this.spool;
    const began = beforeReading();
    let changeTimeMs: number;
    try {
      changeTimeMs = fileSystem.changeTimeMs(this.dir);
    } catch (error) {
      throw fromErrno(error, "look up subscriptions in", this.dir);
    }
    if (changeTimeMs === this.#changeTimeMs && performance.now() < this.#lookAgainAt) return false;
    this.#read();
    // Had the directory changed while it was read, its stamp would differ now, or not yet be old enough to prove anything.
    const isProven = isProof(changeTimeMs, began) && [...this.entries.values()].every((entry) => entry.isProven);
    this.#changeTimeMs = isProven && fileSystem.changeTimeMs(this.dir) === changeTimeMs ? changeTimeMs : undefined;
    return true;
  }

  #read(): void {
    let names: string[];
    try {
      names = this.spool.fileSystem.readdir(this.dir);
    } catch (error) {
      throw fromErrno(error, "look up subscriptions in", this.dir);
    }
    this.spool.accounts.refresh();
    this.unknownOwners.clear();
    this.#lookAgainAt = Infinity;
    const entries = new Map<string, Entry>();
    for (const directoryName of names) {
      if (directoryName.startsWith(".")) continue;
      const entry = this.#entry(directoryName, this.entries.get(directoryName));
      if (entry !== undefined) entries.set(directoryName, entry);
    }
    const before = this.entries;
    this.entries = entries;
    for (const [name, old] of before) if (entries.get(name)?.target !== old.target) old.target?.unpin();
  }

  /** What a name stands for now; undefined when it does not count. */
  #entry(directoryName: string, known: Entry | undefined): Entry | undefined {
    const dir = `${this.dir}/${directoryName}`;
    const path = `${dir}/${SUBSCRIPTION_FILE}`;
    const began = beforeReading();
    try {
      const stat = this.spool.fileSystem.lstat(dir);
      if (!stat.isDirectory() || !this.#isOwnedByItsName(directoryName, stat.uid)) return undefined;
      const file = this.spool.fileSystem.lstat(path);
      if (file.uid !== stat.uid && !this.isQueues) return undefined;
      const stamp = `${stat.ino} ${file.ino} ${file.size} ${file.ctimeMs}`;
      if (known?.stamp === stamp && known.isProven) return known;
      const record = readSubscriptionRecord(this.spool.fileSystem, path);
      const isProven = isProof(file.ctimeMs, began);
      return { stamp, isProven, target: this.#target(directoryName, record, stat) };
    } catch (error) {
      // Its owner holds a lease on the record (fcntl(2), F_SETLEASE), and nobody shall wait for that: what was known counts on.
      if (errnoOf(error) === "EAGAIN") return { stamp: "", isProven: false, target: known?.target };
      // Half made, half removed, not readable or not a record: it does not count. Mending that does not change the parent directory.
      if (errnoOf(error) === undefined || isGone(error) || errnoOf(error) === "EACCES") {
        this.#lookAgainAt = performance.now() + LOOK_AGAIN_MS;
        return undefined;
      }
      throw fromErrno(error, "read", path);
    }
  }

  #target(directoryName: string, record: SubscriptionRecord, identity: TargetIdentity): Target | undefined {
    const isOurs = this.isQueues
      ? record.kind === "queue"
      : record.kind !== "queue" && `${record.user ?? ""}~${record.name}` === directoryName;
    if (!isOurs) return undefined;
    const heartbeatAgeMs = (presence: Presence) => this.#heartbeatAgeMs(presence);
    const place = { parentDir: this.dir, directoryName, pinBoard: this.#pinBoard };
    return new Target(this.spool, record, identity, place, heartbeatAgeMs);
  }

  /** A subscription counts only if its owner is the user in its name: a squatter gets nothing. */
  #isOwnedByItsName(directoryName: string, uid: number): boolean {
    if (this.isQueues) return /^[A-Za-z0-9_-]{1,64}$/.test(directoryName);
    const parsed = parseSubscriptionName(directoryName);
    if (parsed === undefined) return false;
    const { accounts } = this.spool;
    if (accounts.uidOf(parsed.user) === uid) return true;
    if (accounts.userOf(uid) === undefined) this.unknownOwners.add(uid);
    return false;
  }

  #heartbeatAgeMs({ user, token }: Presence): number | undefined {
    try {
      return Date.now() - this.spool.fileSystem.lstat(`${this.spool.path}/run/${user}/${token}.lock`).mtimeMs;
    } catch {
      return undefined;
    }
  }
}
