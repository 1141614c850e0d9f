import { BusError, errnoOf, fromErrno } from "../errors.js";
import { beforeReading, isProof, isRecent, moment, type Moment } from "../freshness.js";
import type { Presence } from "../presence.js";
import type { Spool } from "../spool.js";
import {
  parseSubscriptionName,
  readSubscriptionRecord,
  SUBSCRIPTION_FILE,
  type SubscriptionRecord,
} from "../subscription-record.js";
import { parseAddress } from "../topics.js";
import { PinBoard } from "./pin-board.js";
import { isGone, Target, type TargetIdentity } from "./target.js";

/** Remembered answers per listing; a publisher of ever new topics must not fill the memory. */
const MAX_REMEMBERED_TOPICS = 1_000;

/** How soon an account database that did not know an owner is asked again, in milliseconds. */
const ASK_AGAIN_MS = 5_000;

/** How soon the queues are looked at though nobody said that one has changed, in milliseconds. */
const LOOK_AT_QUEUES_MS = 1_000;

/** How soon a subscription that did not count is looked at again, in milliseconds. */
const LOOK_AGAIN_MS = 5_000;

interface Entry {
  /** Identifies the version of `subscription.json` that was read. */
  readonly stamp: string;
  /** Whether any later version must have another stamp. */
  readonly isProven: boolean;
  readonly target: Target | undefined;
}

/**
 * Which subscriptions a topic goes to.
 *
 * Invariant: a publish that starts after `subscribe()` resolved finds that subscription. Every lookup therefore compares the
 * directories' change times with those of the cached listing, and a listing that they cannot prove is read again
 * (freshness.ts). Whoever changes a subscription in place also bumps the directory above it, and whoever makes or changes a queue
 * that of the subscriptions, so that one stat tells of both (docs/protocol.md).
 */
export class SubscriptionIndex {
  readonly #spool: Spool;
  readonly #listings: readonly [Listing, Listing];
  #matches = new Map<string, readonly Target[]>();
  #version = 0;
  #look: Moment | undefined;
  #askAgainAt = 0;
  #lookAtQueuesAt = 0;

  constructor(spool: Spool) {
    this.#spool = spool;
    this.#listings = [new Listing(spool, spool.subscriptionsDir, false), new Listing(spool, spool.queuesDir, true)];
  }

  /**
   * Whether the answers below are current without another look: whoever makes a subscription counts on it only when every publisher has
   * looked again (subscribe/open-subscription.ts).
   * @param to a direct message's address. Nobody waits until an inbox or a mailbox is known: one that is not is looked for.
   */
  isFresh(to: string | undefined): boolean {
    return this.isFreshAt(moment()) && (to === undefined || this.#find(to) !== undefined);
  }

  /** The same for topics. */
  isFreshAt(now: Moment): boolean {
    return this.#look !== undefined && isRecent(this.#look, now);
  }

  /** Whether the last look was so long ago, or there was none. */
  isOlderThan(ageMs: number, now: Moment): boolean {
    return this.#look === undefined || now.steady - this.#look.steady >= ageMs;
  }

  /**
   * Makes the answers below current. Blocks for a stat of a directory when nothing has changed.
   * @returns a promise when the account database has to be asked for an owner that the files do not know
   */
  refresh(): void | Promise<void> {
    const [subscriptions, queues] = this.#listings;
    const now = performance.now();
    const look = moment();
    this.#look = undefined;
    const haveChanged = subscriptions.refresh();
    // In this order: whoever has bumped the first one had changed the second one before.
    // Before anything else can fail: this change is not told of again.
    if (haveChanged) {
      this.#forgetMatches();
      this.#lookAtQueuesAt = 0;
    }
    if (now >= this.#lookAtQueuesAt) {
      if (queues.refresh()) this.#forgetMatches();
      this.#lookAtQueuesAt = now + LOOK_AT_QUEUES_MS;
    }
    // Only a look that has succeeded counts.
    this.#look = look;
    if (subscriptions.unknownOwners.size + queues.unknownOwners.size === 0 || now < this.#askAgainAt) return;
    return this.#identify([...subscriptions.unknownOwners, ...queues.unknownOwners]);
  }

  /** Another number whenever the answers may be others. */
  get version(): number {
    return this.#version;
  }

  /**
   * Who gets a message. @param to a direct message's address
   * @throws as `forAddress`
   */
  targetsOf(to: string | undefined, topic: string): readonly Target[] {
    return to === undefined ? this.forTopic(topic) : [this.forAddress(to)];
  }

  /** The subscriptions whose patterns match; those of dead processes left out. */
  forTopic(topic: string): readonly Target[] {
    let targets = this.#matches.get(topic);
    if (targets === undefined) {
      targets = this.all().filter((target) => target.record.patterns.length > 0 && target.matches(topic));
      if (this.#matches.size >= MAX_REMEMBERED_TOPICS) this.#matches.clear();
      this.#matches.set(topic, targets);
    }
    return targets.every((target) => target.isListening()) ? targets : targets.filter((target) => target.isListening());
  }

  /**
   * The inbox of an address.
   * @throws BusError ERR_ADDRESS_UNKNOWN, or ERR_SQUATTED when somebody else made a directory of that name
   */
  forAddress(address: string): Target {
    const target = this.#find(address);
    if (target !== undefined) return target;
    const { user, subscription } = parseAddress(address);
    throw this.#noSuchAddress(address, user, `${user}~${subscription}`);
  }

  #find(address: string): Target | undefined {
    const { user, subscription } = parseAddress(address);
    const target = this.#listings[0].entries.get(`${user}~${subscription}`)?.target;
    return target?.record.address === address && target.isListening() ? target : undefined;
  }

  all(): Target[] {
    const targets: Target[] = [];
    for (const listing of this.#listings) {
      for (const { target } of listing.entries.values()) if (target !== undefined) targets.push(target);
    }
    return targets;
  }

  /** A subscription turned out to be gone: looks at everything again. */
  forget(): void {
    this.#version++;
    for (const listing of this.#listings) listing.forget();
    this.#lookAtQueuesAt = 0;
    this.#look = undefined;
  }

  close(): void {
    for (const target of this.all()) target.unpin();
  }

  #forgetMatches(): void {
    this.#matches = new Map();
    this.#version++;
  }

  async #identify(uids: readonly number[]): Promise<void> {
    this.#askAgainAt = performance.now() + ASK_AGAIN_MS;
    const users = await Promise.all(uids.map((uid) => this.#spool.accounts.findUser(uid)));
    if (users.every((user) => user === undefined)) return;
    for (const listing of this.#listings) listing.forget();
    for (const listing of this.#listings) listing.refresh();
    this.#forgetMatches();
  }

  #noSuchAddress(address: string, user: string, directoryName: string): BusError {
    const path = `${this.#spool.subscriptionsDir}/${directoryName}`;
    const squatter = this.#squatter(path, user);
    if (squatter !== undefined) {
      return new BusError(
        "ERR_SQUATTED",
        `cannot publish to ${address}: ${path} was made by ${squatter}, not by ${user}`,
        {
          path,
          fix: `sudo rm -r ${path}    (then ${user} runs: agentbus status)`,
        },
      );
    }
    const known = this.all().flatMap(({ record }) => (record.kind === "inbox" ? [record.address] : []));
    return new BusError(
      "ERR_ADDRESS_UNKNOWN",
      `cannot publish to ${address}: nobody of that name has an inbox in ${this.#spool.path}`,
      {
        path,
        fix: `known addresses: ${known.join(", ") || "none"}; ${user} gets an inbox by using the bus once (sudo -u ${user} agentbus status)`,
        details: { known },
      },
    );
  }

  #squatter(path: string, user: string): string | undefined {
    try {
      const { uid } = this.#spool.fileSystem.lstat(path);
      const owner = this.#spool.accounts.userOf(uid) ?? `uid ${uid}`;
      return this.#spool.accounts.uidOf(user) === uid ? undefined : owner;
    } catch {
      return undefined;
    }
  }
}

/** One directory of subscriptions, and what was last read in it. */
class Listing {
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
