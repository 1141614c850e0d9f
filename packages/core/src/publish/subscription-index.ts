import { BusError } from "../errors.js";
import { isRecent, moment, type Moment } from "../freshness.js";
import type { Spool } from "../spool.js";
import { parseAddress } from "../topics.js";
import { SubscriptionListing } from "./subscription-listing.js";
import type { Target } from "./target.js";

/** Remembered answers per listing; a publisher of ever new topics must not fill the memory. */
const MAX_REMEMBERED_TOPICS = 1_000;

/** How soon an account database that did not know an owner is asked again, in milliseconds. */
const ASK_AGAIN_MS = 5_000;

/** How soon the queues are looked at though nobody said that one has changed, in milliseconds. */
const LOOK_AT_QUEUES_MS = 1_000;

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
  readonly #listings: readonly [SubscriptionListing, SubscriptionListing];
  #matches = new Map<string, readonly Target[]>();
  #version = 0;
  #look: Moment | undefined;
  #askAgainAt = 0;
  #lookAtQueuesAt = 0;

  constructor(spool: Spool) {
    this.#spool = spool;
    this.#listings = [
      new SubscriptionListing(spool, spool.subscriptionsDir, false),
      new SubscriptionListing(spool, spool.queuesDir, true),
    ];
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
