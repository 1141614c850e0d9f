import fs from "node:fs";
import { ignoreMissing } from "../directory.js";
import { DEFAULT_PRIORITY } from "../envelope.js";
import { closeQuietly } from "../file-system.js";
import { errnoOf, fromErrno } from "../errors.js";
import { isKnown, untilKnown } from "../freshness.js";
import { isSeal, mayHaveGrown, sealOf, ULID_LENGTH, ulidOf } from "../message-name.js";
import { PRIVATE_FILE_MODE } from "../permissions.js";
import type { Claim } from "../settle/claim.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";
import type { Sender } from "./judge.js";
import type { LoadedEnvelope } from "./load.js";
import type { PendingFile } from "./pending.js";
import type { StreamReader } from "./stream-reader.js";
import type { Step } from "./take.js";

const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = fs.constants;

/** Each holds two descriptors, and every look reads them all. */
const MAX_OPEN = 64;
/** How often a neighbour is made room against that puts something in the place of a seal again and again. */
const MAX_TRIES = 100;
/** A seal stays for so long: several times as long as a publisher appends to a stream (publish/streams.ts). In milliseconds. */
const SEAL_STAYS_MS = 60_000;

/** A claimed file that is read while it grows. */
export interface FollowedStream {
  readonly claim: Claim;
  readonly pending: PendingFile;
  readonly reader: StreamReader;
  /** The owner of the inode. */
  readonly sender: Sender;
}

/** Made by a constructor, so that all have the same shape: V8 drops what it compiled for one when it meets another. */
class OpenStream implements FollowedStream {
  readonly claim: Claim;
  readonly pending: PendingFile;
  readonly reader: StreamReader;
  readonly sender: Sender;
  /** undefined where there is nothing to watch for. */
  readonly watcher: fs.FSWatcher | undefined;
  /** Read and not yet handed on, the last first. */
  lines: Line[] = [];
  /** Of the last line. */
  place: Place;
  /** There may be more to read. */
  hasGrown = true;
  /** It has grown since the last look but one. */
  isGrowing = true;
  /** When its seal stood in `new/`, by performance.now(). */
  sealedAt: number | undefined = undefined;

  constructor({ claim, pending, reader, sender }: FollowedStream, watcher: fs.FSWatcher | undefined) {
    this.claim = claim;
    this.pending = pending;
    this.reader = reader;
    this.sender = sender;
    this.watcher = watcher;
    this.place = placeOf(pending.file);
  }
}

/** Where a message stands among the files. */
interface Place {
  readonly priority: number;
  readonly ulid: string;
}

/** A message of an open stream. */
interface Line extends Place {
  readonly step: Step | Promise<Step>;
}

/** By performance.now(). */
interface Seal {
  readonly sealedAt: number;
  readonly mayGoAt: number;
}

/** What open streams need of whoever takes messages. */
export interface StreamHost {
  judge(stream: FollowedStream, loaded: LoadedEnvelope): Step | Promise<Step>;
  /** An open stream may have grown. */
  onGrowth(): void;
  /** A message will not be handed out by this consumer. */
  onUnused(step: Step): void;
  /** We are about to change an entry of `new/`. */
  onOwnMove(name: string): void;
}

/**
 * The streams that one consumer reads while they grow: claimed files, to which their publishers go on appending.
 *
 * Invariant: a stream leaves here, to be removed or put back, only when its publisher has ended it and it was read up to there, or
 * after its seal stood in `new/`, every publisher had time to look (freshness.ts), and it was read to the end once more. Whatever
 * its publisher took for stored has been read then (publish/streams.ts). A stream whose consumer died is sealed by the next one
 * before it is read.
 */
export class OpenStreams {
  readonly #spool: Spool;
  readonly #directories: SubscriptionDirectories;
  readonly #host: StreamHost;
  readonly #open = new Set<OpenStream>();
  /** The seals in `new/`. */
  readonly #seals = new Map<string, Seal>();

  constructor(spool: Spool, directories: SubscriptionDirectories, host: StreamHost) {
    this.#spool = spool;
    this.#directories = directories;
    this.#host = host;
  }

  /** Takes over the seals that others left. To be called when the consumer starts. @throws the system's error */
  start(): void {
    for (const names of this.#spool.fileSystem.readdirInPortions(this.#directories.new.base)) {
      for (const name of names.filter(isSeal)) {
        const now = performance.now();
        // Its age is by the kernel's coarse clock: good enough for a minute, not for the moment that publishers have to look.
        this.#seals.set(name, { sealedAt: now, mayGoAt: now + SEAL_STAYS_MS - this.#ageOf(name) });
      }
    }
    this.#unsealOld();
  }

  /** Whether another stream may be opened. */
  get hasRoom(): boolean {
    return this.#open.size < MAX_OPEN;
  }

  /** Reads a claimed stream from now on. @returns false when its growth cannot be watched */
  open(followed: FollowedStream): boolean {
    const { claim, reader } = followed;
    const willGrow = !reader.willNotGrow();
    const watcher = willGrow ? watch(claim.path) : undefined;
    if (willGrow && watcher === undefined) return false;
    claim.expectMore();
    const stream = new OpenStream(followed, watcher);
    watcher?.on("change", () => {
      stream.hasGrown = true;
      this.#host.onGrowth();
    });
    // Without the watch, the look every now and then finds what is added.
    watcher?.on("error", () => undefined);
    this.#open.add(stream);
    return true;
  }

  /** Any of them may have grown. */
  doubt(): void {
    for (const stream of this.#open) stream.hasGrown = true;
  }

  /**
   * The next message of an open stream, if its place is before that of the file that waits.
   * @throws the system's error
   */
  next(head: string | undefined): Step | Promise<Step> | undefined {
    let best: OpenStream | undefined;
    let first: Line | undefined;
    for (const stream of this.#open) {
      if (stream.lines.length === 0) {
        if (stream.hasGrown) this.#read(stream);
        if (stream.lines.length === 0 && stream.reader.isEnded) this.#endNow(stream);
      }
      const line = stream.lines.at(-1);
      if (line === undefined || (first !== undefined && !isBefore(line, first))) continue;
      best = stream;
      first = line;
    }
    if (first === undefined || (head !== undefined && nameOf(first) > head)) return undefined;
    best?.lines.pop();
    return first.step;
  }

  /** Looks for what no event reported, and seals what has not grown from one look to the next. @returns whether there is something to take */
  tick(): boolean {
    let failure: unknown;
    for (const stream of this.#open) {
      try {
        this.#look(stream);
      } catch (error) {
        // The others shall not wait for this one.
        failure ??= error;
      }
    }
    this.#unsealOld();
    if (failure !== undefined) throw fromErrno(failure, "read on in", this.#directories.path);
    return [...this.#open].some(({ lines }) => lines.length > 0);
  }

  #look(stream: OpenStream): void {
    stream.hasGrown = true;
    if (stream.lines.length === 0) this.#read(stream);
    if (stream.lines.length === 0 && stream.reader.isEnded) return this.#end(stream);
    const isOver = !stream.isGrowing || stream.reader.isOverlong;
    stream.isGrowing = false;
    if (stream.lines.length > 0) return;
    // What is found only now is delivered first.
    if (stream.sealedAt !== undefined && isKnown(stream.sealedAt) && !this.#read(stream)) return this.#end(stream);
    if (isOver) stream.sealedAt ??= this.#seal(stream.pending.file);
  }

  /**
   * Reads every stream to its end and lets go of it.
   * @returns the claims of those that hold unsettled messages
   */
  async close(): Promise<Claim[]> {
    const unsettled: Claim[] = [];
    for (const stream of this.#open) {
      try {
        if (!stream.reader.isEnded) stream.sealedAt ??= this.#seal(stream.pending.file);
      } catch {
        // Said below.
      }
    }
    for (const stream of this.#open) {
      this.#open.delete(stream);
      try {
        if (!stream.reader.isEnded) {
          stream.sealedAt ??= this.#seal(stream.pending.file);
          await untilKnown(stream.sealedAt);
        }
        while (this.#read(stream));
        for (const { step } of stream.lines.splice(0).reverse()) this.#host.onUnused(await step);
        if (stream.claim.expectNoMore()) unsettled.push(stream.claim);
      } catch {
        // Not read to the end, so it comes back even if everything that was read is settled.
        unsettled.push(stream.claim);
      } finally {
        letGo(stream);
      }
    }
    return unsettled;
  }

  /**
   * Tells the publisher of a stream that what it appends from now on may not be read.
   * @param next streams that will be sealed next, so that one wait does for all of them
   * @returns a promise when it may go on appending for a moment: what it does not send once more can be read then
   * @throws the system's error
   */
  seal(file: string, next: () => readonly string[]): void | Promise<void> {
    const sealedAt = this.#seal(file);
    if (!mayHaveGrown(file) || isKnown(sealedAt)) return;
    for (const each of next()) this.#seal(each);
    return untilKnown(sealedAt);
  }

  /** @returns when the seal stood, by performance.now() */
  #seal(file: string): number {
    const name = sealOf(file);
    const known = this.#seals.get(name);
    if (known === undefined) this.#host.onOwnMove(name);
    this.#seals.delete(name);
    const isNew = this.#makeSeal(name);
    const now = performance.now();
    const sealedAt = isNew ? now : (known?.sealedAt ?? now);
    this.#seals.set(name, { sealedAt, mayGoAt: now + SEAL_STAYS_MS });
    return sealedAt;
  }

  /**
   * One of our own: what a neighbour put in its place, the neighbour could remove again, and the publisher would take its messages
   * for read. That becomes a stray, which is cleared away like any other.
   * @returns whether there was none
   */
  #makeSeal(name: string): boolean {
    const { fileSystem, names } = this.#spool;
    const { new: arrivals } = this.#directories;
    const path = arrivals.atOwn(name);
    for (let triesLeft = MAX_TRIES; ; triesLeft--) {
      try {
        const flags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW;
        closeQuietly(fileSystem, fileSystem.open(path, flags, PRIVATE_FILE_MODE));
        return true;
      } catch (error) {
        if (errnoOf(error) !== "EEXIST") throw error;
        if (this.#isOwnSeal(name)) return false;
        if (triesLeft === 0) throw error;
        ignoreMissing(() => fileSystem.rename(path, arrivals.atOwn(`no-seal-${names.random(16)}`)));
      }
    }
  }

  #isOwnSeal(name: string): boolean {
    try {
      return this.#spool.fileSystem.lstat(this.#directories.new.atOwn(name)).uid === this.#spool.uid;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return false;
      throw error;
    }
  }

  #endNow(stream: OpenStream): void {
    try {
      this.#end(stream);
    } catch {
      // Tried again with the next look.
    }
  }

  #end(stream: OpenStream): void {
    // What cannot be removed now is tried again with the next look.
    stream.claim.expectNoMore();
    this.#open.delete(stream);
    letGo(stream);
  }

  /** @returns whether there was anything */
  #read(stream: OpenStream): boolean {
    const envelopes = stream.reader.read();
    if (envelopes.length === 0) {
      stream.hasGrown = false;
      return false;
    }
    stream.isGrowing = true;
    stream.hasGrown = !stream.reader.isAtEnd;
    const lines: Line[] = [];
    for (const loaded of envelopes) {
      stream.claim.add(loaded.index);
      const step = this.#host.judge(stream, loaded);
      // Whoever takes it gets the error; until then nobody waits for it.
      if (step instanceof Promise) step.catch(() => undefined);
      const line = lineAt(stream.place, loaded.value, step);
      stream.place = line;
      lines.push(line);
    }
    lines.reverse();
    stream.lines = stream.lines.length === 0 ? lines : lines.concat(stream.lines);
    return true;
  }

  /** In milliseconds; 0 where the clock has been set back since. A publisher notices when it is set (publish/streams.ts). */
  #ageOf(name: string): number {
    try {
      return Math.max(0, Date.now() - this.#spool.fileSystem.lstat(this.#directories.new.atOwn(name)).ctimeMs);
    } catch {
      return 0;
    }
  }

  #unsealOld(): void {
    const now = performance.now();
    for (const [name, { mayGoAt }] of this.#seals) {
      if (now < mayGoAt) continue;
      this.#seals.delete(name);
      this.#host.onOwnMove(name);
      try {
        this.#spool.fileSystem.unlink(this.#directories.new.atOwn(name));
      } catch {
        // The next consumer tries again. What a neighbour made of that name stays; it tells publishers nothing about new streams.
      }
    }
  }
}

function placeOf(file: string): Place {
  return { priority: Number(file[0]), ulid: ulidOf(file) };
}

/** What the name of a file at this place begins with. */
function nameOf({ priority, ulid }: Place): string {
  return `${priority}-${ulid}`;
}

function isBefore(a: Place, b: Place): boolean {
  return a.priority < b.priority || (a.priority === b.priority && a.ulid < b.ulid);
}

/**
 * A message stands at its own priority and its id, which it got when it was sent, whatever the file is called (place-in-order.ts); but
 * never before the one in front of it. What only looks like a ULID gets behind others at the worst.
 */
function lineAt(before: Place, value: unknown, step: Step | Promise<Step>): Line {
  const { id, priority = DEFAULT_PRIORITY } = (value ?? {}) as { id?: unknown; priority?: unknown };
  if (typeof id !== "string" || id.length !== ULID_LENGTH || typeof priority !== "number")
    return { step, priority: before.priority, ulid: before.ulid };
  const line = { step, priority, ulid: id };
  return isBefore(before, line) ? line : { step, priority: before.priority, ulid: before.ulid };
}

function letGo({ reader, watcher }: OpenStream): void {
  watcher?.close();
  reader.close();
}

/** Watches the inode, so that it does not matter which of its links is written through. undefined where that cannot be. */
function watch(path: string): fs.FSWatcher | undefined {
  try {
    return fs.watch(path, { persistent: false });
  } catch {
    return undefined;
  }
}
