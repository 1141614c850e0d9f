import { atExit } from "../at-exit.js";
import type { ChannelKind } from "../barred.js";
import { BarredAccounts } from "../barred-accounts.js";
import { currentCause, runBecauseOf, type Cause } from "../context.js";
import type { Sender } from "../deliver/judge.js";
import { Directory } from "../directory.js";
import { BusError, errnoOf, fromErrno } from "../errors.js";
import type { FileSystem } from "../file-system.js";
import { noAccess } from "../membership.js";
import { INBOX_MODE, OUTBOX_MODE, READABLE_MODE } from "../permissions.js";
import { isAlive, type Presence } from "../presence.js";
import type { PublishOptions, PublishResult } from "../publish/publish-options.js";
import type { Publisher } from "../publish/publisher.js";
import type { Spool } from "../spool.js";
import { ConsumerLock, heartbeatAgeMs, presenceIn } from "../subscribe/consumer-lock.js";
import type { SubscriptionHost } from "../subscribe/open-subscription.js";
import { parseAddress } from "../topics.js";
import { watchDirectory } from "../watch/choose.js";
import type { WatchOptions, Watcher } from "../watch/watcher.js";
import { whenReady } from "../when-ready.js";
import { AddressedEnvelopeWriter } from "./envelope-writer.js";
import { SenderEnvelopeReader } from "./envelope-reader.js";
import type { ChannelHost, ClosableChannel, EnvelopeReader, EnvelopeWriter } from "./host.js";
import { ChannelLedger, type ChannelCounters, type ChannelDescription } from "./ledger.js";

const MODES = { outbox: OUTBOX_MODE, run: READABLE_MODE, pipes: INBOX_MODE } as const;

/** What a bus lends to its channels. */
export class BusChannelHost implements ChannelHost {
  readonly user: string;
  readonly uid: number;
  readonly spool: ChannelHost["spool"];
  readonly fileSystem: FileSystem;
  /** Those that are open. */
  readonly open = new Set<ClosableChannel>();
  readonly #spool: Spool;
  readonly #publisher: Publisher;
  readonly #subscriptions: SubscriptionHost;
  readonly #cause: Cause | undefined;
  readonly #barred: BarredAccounts;
  readonly #ledger: ChannelLedger;
  readonly #stopTicking: () => void;
  readonly #closing = new AbortController();

  constructor(spool: Spool, publisher: Publisher, subscriptions: SubscriptionHost, cause: Cause | undefined) {
    this.#spool = spool;
    this.#publisher = publisher;
    this.#subscriptions = subscriptions;
    this.#cause = cause;
    const { path, kind, group, gid, limits } = spool;
    this.user = spool.user;
    this.uid = spool.uid;
    this.spool = { path, kind, group, gid, limits };
    this.fileSystem = spool.fileSystem;
    this.#barred = new BarredAccounts(spool);
    this.#ledger = new ChannelLedger(spool, () => this.presence());
    this.#stopTicking = subscriptions.everyNowAndThen(() => this.#ledger.tick(), false);
  }

  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Lets go of what it holds; to be called after the channels were closed. */
  async close(): Promise<void> {
    this.#closing.abort(new BusError("ERR_CLOSED", "the bus was closed"));
    this.#stopTicking();
    await this.#ledger.close();
  }

  findUid(user: string): Promise<number | undefined> {
    return this.#spool.accounts.findUid(user);
  }

  senderOf(uid: number): Sender | undefined | Promise<Sender | undefined> {
    const { accounts } = this.#spool;
    // Uids are recycled.
    accounts.refresh();
    const user = accounts.userOf(uid) ?? accounts.findUser(uid);
    return whenReady(user, (name) => (name === undefined ? undefined : { uid, user: name }));
  }

  findGid(group: string): Promise<number | undefined> {
    return this.#spool.accounts.findGroupId(group);
  }

  membersOf(group: string): Promise<string[]> {
    return this.#spool.accounts.membersOf(group);
  }

  random(length: number): string {
    return this.#spool.names.random(length);
  }

  ensureOwnDirectory(place: keyof typeof MODES): string {
    const dir = `${this.#spool.path}/${place}/${this.user}`;
    this.#spool.ensureOwnDirectory(dir, MODES[place]);
    return dir;
  }

  ensureReadableDirectory(path: string): void {
    this.#spool.ensureOwnDirectory(path, READABLE_MODE);
  }

  openDirectoryOf(place: "run" | "pipes", user: string, uid: number): Directory | undefined {
    const parent = `${this.#spool.path}/${place}`;
    let directory: Directory;
    try {
      directory = Directory.open(this.fileSystem, parent, user);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw fromErrno(error, "open", `${parent}/${user}`);
    }
    if (directory.uid === uid) return directory;
    directory.close();
    throw new BusError(
      "ERR_SQUATTED",
      `cannot use ${directory.path}: it belongs to ${this.#spool.accounts.userOf(directory.uid) ?? `uid ${directory.uid}`}, not to ${user}`,
      { path: directory.path, fix: `sudo rm -r ${directory.path}`, details: { uid: directory.uid } },
    );
  }

  watchDirectory(dir: string, options: Omit<WatchOptions, "mode">): Promise<Watcher> {
    return watchDirectory(dir, { ...options, mode: this.#subscriptions.watch });
  }

  everyNowAndThen(tick: () => Promise<void>, keepsProcess = true): () => void {
    return this.#subscriptions.everyNowAndThen(tick, keepsProcess);
  }

  presence(): Promise<Presence> {
    return this.#subscriptions.presence.ensure();
  }

  isAlive(presence: Presence): boolean {
    return isAlive(presence, () => heartbeatAgeMs(this.#spool, presence));
  }

  async serveAlone(name: string, doing: string, onLost: (error: BusError) => void): Promise<() => Promise<void>> {
    const presence = await this.presence();
    const parentDir = this.ensureOwnDirectory("run");
    this.ensureReadableDirectory(`${parentDir}/${name}`);
    const place = { parentDir, directoryName: name, doing };
    const lock = await ConsumerLock.acquire(this.#spool, place, presence, this.#subscriptions.heldLocks, onLost);
    const stopLooking = this.everyNowAndThen(() => lock.look());
    return async () => {
      stopLooking();
      await lock.release();
    };
  }

  serverOf(name: string, user: string, uid: number): Presence | undefined {
    const run = this.openDirectoryOf("run", user, uid);
    if (run === undefined) return undefined;
    try {
      const directory = Directory.open(this.fileSystem, run, name);
      try {
        const presence = directory.uid === uid ? presenceIn(this.#spool, directory.atOwn("consumer.json")) : undefined;
        return presence?.user === user && this.isAlive(presence) ? presence : undefined;
      } finally {
        directory.close();
      }
    } catch {
      // None; or none that this account may see.
      return undefined;
    } finally {
      run.close();
    }
  }

  isBarred(channel: ChannelKind, user: string): boolean {
    return this.#barred.isBarred(channel, user);
  }

  requireNotBarred(channel: ChannelKind, peer = this.user): void {
    this.#barred.requireNotBarred(channel, this.user, peer);
  }

  refusedByKernel(cause: unknown, doing: string, path?: string): BusError {
    return fromErrno(cause, doing, path);
  }

  noAccess(cause: unknown): Promise<BusError> {
    return noAccess(this.#spool.path, this.#spool.gid, this.#spool.accounts, cause);
  }

  currentCause(): Cause | undefined {
    return currentCause() ?? this.#cause;
  }

  runBecauseOf<Result>(message: { readonly cause: Cause }, action: () => Result): Result {
    return runBecauseOf(message, action, undefined);
  }

  envelopesTo(address: string): EnvelopeWriter {
    parseAddress(address);
    return new AddressedEnvelopeWriter(this.#spool, address, this.#cause);
  }

  envelopesFrom(sender: Sender): EnvelopeReader {
    return new SenderEnvelopeReader(this.#spool, sender);
  }

  async publish(destination: string, data: unknown, options?: PublishOptions): Promise<PublishResult> {
    return this.#publisher.publish(destination, data, options);
  }

  async forward(text: string, options: PublishOptions): Promise<PublishResult> {
    return this.#publisher.forward(text, options);
  }

  atExit(action: () => void): () => void {
    return atExit(action);
  }

  show(channel: ChannelDescription): ChannelCounters {
    return this.#ledger.open(channel);
  }

  keep(channel: ClosableChannel): () => void {
    this.open.add(channel);
    return () => void this.open.delete(channel);
  }
}
