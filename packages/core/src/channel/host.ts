import type { ChannelKind } from "../barred.js";
import type { Cause } from "../context.js";
import type { Sender, Verdict } from "../deliver/judge.js";
import type { Directory } from "../directory.js";
import type { BusError } from "../errors.js";
import type { FileSystem } from "../file-system.js";
import type { TextRoom } from "../flat-json.js";
import type { Presence } from "../presence.js";
import type { PublishOptions, PublishResult } from "../publish/publish-options.js";
import type { SpoolLimits } from "../spool.js";
import type { DrainOptions } from "../subscribe/subscription.js";
import type { WatchOptions, Watcher } from "../watch/watcher.js";
import type { SendOptions } from "./channel.js";
import type { ChannelCounters, ChannelDescription } from "./ledger.js";

/**
 * What a bus lends to a package of channels: all that such a package needs of core, so that it imports nothing of core's inside, and
 * there is one opening of the spool, one set of rules and one presence for a bus.
 */
export interface ChannelHost {
  /** The account of this process. */
  readonly user: string;
  readonly uid: number;
  readonly spool: {
    readonly path: string;
    readonly kind: "group" | "personal";
    readonly group: string | undefined;
    /** That what belongs to the spool has; of a personal one, whatever it got. */
    readonly gid: number;
    readonly limits: SpoolLimits;
  };
  /** Every file that a channel touches passes through here. */
  readonly fileSystem: FileSystem;
  /** Aborted when the bus closes, with ERR_CLOSED. */
  readonly closing: AbortSignal;

  /** The uid of an account; undefined when there is none, or nobody can tell now. */
  findUid(user: string): Promise<number | undefined>;
  /** The account of a uid; undefined while the account database does not answer, and then nobody may be given a name. */
  senderOf(uid: number): Sender | undefined | Promise<Sender | undefined>;
  /** The group of a name; undefined when there is none. */
  findGid(group: string): Promise<number | undefined>;
  /** The members of a group, by name. */
  membersOf(group: string): Promise<string[]>;

  /** `length` characters of 5 random bits each: 26 cannot be guessed. */
  random(length: number): string;
  /** Makes `outbox/<user>/`, `run/<user>/`, `pipes/<user>/` with its right mode, unless it stands there. @returns its path @throws BusError ERR_SQUATTED … */
  ensureOwnDirectory(place: "outbox" | "run" | "pipes"): string;
  /** As above, for a directory below one of those, such as `run/<user>/pipes`, readable for members. */
  ensureReadableDirectory(path: string): void;
  /**
   * Opens `<place>/<user>` of any account, pinned, and makes sure that it is that account's own.
   * @returns undefined when there is none @throws BusError ERR_SQUATTED, ERR_ACCESS
   */
  openDirectoryOf(place: "run" | "pipes", user: string, uid: number): Directory | undefined;
  /** Whether `spool.json` bars an account from such channels, as of now. @throws BusError ERR_SPOOL_UNTRUSTED … */
  isBarred(channel: ChannelKind, user: string): boolean;
  /** Makes sure that neither this account nor the other one is barred from them. @throws BusError ERR_BARRED, and as `isBarred` */
  requireNotBarred(channel: ChannelKind, peer?: string): void;
  /** What the kernel refused, as a BusError: "cannot <doing> <path>: <errno>". */
  refusedByKernel(cause: unknown, doing: string, path?: string): BusError;
  /** Why this process cannot use what the spool's group may, with the command that helps. */
  noAccess(cause: unknown): Promise<BusError>;
  watchDirectory(dir: string, options: Omit<WatchOptions, "mode">): Promise<Watcher>;
  /**
   * Calls from time to time, with the bus's other looks (`rescanMs`).
   * @param keepsProcess whether the process is to run on because of this @default true @returns what ends the calls
   */
  everyNowAndThen(tick: () => Promise<void>, keepsProcess?: boolean): () => void;

  /** Shows this process to the other accounts, in `run/<user>/<token>.json`. */
  presence(): Promise<Presence>;
  /** Whether the process of a presence still runs. */
  isAlive(presence: Presence): boolean;
  /**
   * Makes sure that one process of this account at a time serves what `run/<user>/<name>/` stands for; others see which.
   * @param doing for people: "receive pipes" @param onLost told when somebody has removed its lock
   * @returns what lets go of it @throws BusError ERR_BUSY naming the process that does
   */
  serveAlone(name: string, doing: string, onLost: (error: BusError) => void): Promise<() => Promise<void>>;
  /** The process that `serveAlone(name)` has let do it, of any account; undefined when none lives. */
  serverOf(name: string, user: string, uid: number): Presence | undefined;

  /** What leads to messages that are sent now: the message being handled, or what this whole process runs because of. */
  currentCause(): Cause | undefined;
  /** Calls `action`; what is published or sent in it, or in what it awaits, was caused by the message. */
  runBecauseOf<Result>(message: { readonly cause: Cause }, action: () => Result): Result;

  /** Makes the text of envelopes to one address. @throws BusError ERR_TOPIC_INVALID */
  envelopesTo(address: string): EnvelopeWriter;
  /** Judges what comes in from one sender. */
  envelopesFrom(sender: Sender): EnvelopeReader;
  /** The spool, for what a channel hands on to it. */
  publish(destination: string, data: unknown, options?: PublishOptions): Promise<PublishResult>;
  /** Puts an envelope that `EnvelopeWriter` wrote into the spool, as it is. @throws as `Bus.publish` */
  forward(
    text: string,
    options: Pick<PublishOptions, "receipt" | "onFull" | "timeoutMs" | "signal">,
  ): Promise<PublishResult>;
  /** Has something removed when the process ends without the bus having been closed. @returns what takes it back */
  atExit(action: () => void): () => void;
  /** Lists an open channel in `status`, for every member. @returns its figures, which the caller keeps, and closes */
  show(channel: ChannelDescription): ChannelCounters;
  /** Has `bus.drain()` and `bus.close()` end a channel. @returns what takes it back, once it has ended by itself */
  keep(channel: ClosableChannel): () => void;
}

export interface ClosableChannel {
  /** What it receives is handled, and handlers may send through others: so it is drained before those. */
  readonly isReceiving?: boolean;
  drain(options?: DrainOptions): Promise<void>;
  close(): Promise<void>;
}

/** An envelope as text. */
export interface WrittenEnvelope {
  readonly id: string;
  /** One line of JSON, with its end. */
  readonly text: string;
}

/** Where envelopes are written one behind the other. */
export interface EnvelopeRoom extends TextRoom {
  /** Behind the last one. */
  end: number;
}

/** Makes envelopes of what is sent, and refuses what no receiver would take. */
export interface EnvelopeWriter {
  /** @returns a promise only where a schema has to be read first @throws as `SendingEnd.send` */
  write(data: unknown, options?: SendOptions): WrittenEnvelope | Promise<WrittenEnvelope>;
  /**
   * Writes an envelope as bytes, and moves the end of the room behind it. Runs the getters of the data, so the room has to be left alone
   * until this returns.
   * @returns its id; undefined when it takes `write()` to make it, or refuse it, or there is not room for whatever it could be
   */
  writeInto(room: EnvelopeRoom, data: unknown): string | undefined;
}

/** Reads lines, all from one verified sender, to this account. Knows the line before, so there is one for each channel. */
export interface EnvelopeReader {
  /**
   * @param text flat rather than a part of another @param start of the line in it @param end behind its newline
   * @returns undefined for a blank line; a promise only where a schema has to be read first
   */
  read(text: string, start: number, end: number): Verdict | Promise<Verdict> | undefined;
}
