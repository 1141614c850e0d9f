import { atExit } from "../at-exit.js";
import { writeAll, writeAllText } from "../file-system.js";
import { isRecent, moment, type Moment } from "../freshness.js";
import { MAX_GROWTH_MS, sealOf, ulidOf, ulidTimeMs } from "../message-name.js";
import type { Spool } from "../spool.js";
import type { Draft, Drafts } from "./drafts.js";
import type { Target } from "./target.js";

/** How soon one message has to follow another to the same subscriptions to be appended to it, in milliseconds. */
const SOON_MS = 1_000;
const MAX_LINES = 1_000;
const MAX_BYTES = 1024 * 1024;
/** What is larger goes into a file of its own. */
const MAX_APPENDED_BYTES = 128 * 1024;
/** An empty line: there will be no more. */
const END = Buffer.from("\n");
/** For whoever appends at the moment: nothing is kept in it. A character takes three bytes at the most; a pair of surrogates, four. */
const SCRATCH = Buffer.allocUnsafeSlow(3 * MAX_APPENDED_BYTES);
/** Each holds a descriptor. */
const MAX_STREAMS = 16;
/** A stream that was sealed before it had so many messages was not worth its while … */
const WORTHWHILE_LINES = 8;
/** … and the next one waits for so long, in milliseconds. */
const PAUSE_MS = 10_000;

/** The messages of one priority to the same subscriptions, one after another. */
export interface Lane {
  readonly targets: readonly Target[];
  readonly priority: number;
  /** Of the last message; by performance.now(). */
  lastAt: number;
  pausedUntil: number;
  stream: Stream | undefined;
}

/** Made by a constructor, so that all have the same shape: V8 drops what it compiled for one when it meets another. */
class Stream {
  readonly draft: Draft;
  readonly seal: string;
  /** By performance.now(), which may stand still while the machine sleeps … */
  readonly beganAt = performance.now();
  /** … and by its name, in ms since 1970. */
  readonly beganMs: number;
  /** When no receiver had stopped reading it. */
  look: Moment;
  lines: number;
  bytes: number;

  constructor(draft: Draft, fileName: string, bytes: number, lines: number, look: Moment) {
    this.draft = draft;
    this.seal = sealOf(fileName);
    this.beganMs = ulidTimeMs(ulidOf(fileName));
    this.look = look;
    this.lines = lines;
    this.bytes = bytes;
  }
}

/**
 * Message files that are still open, so that the next message to the same subscriptions costs one write(2) and no file.
 *
 * Appending commits a message as linking does: whoever reads on finds it. A receiver that will read no further makes the stream's
 * seal in its drop box first, and reads to the end then. So where no seal is found *after* the write, the receiver is still to
 * read, or had yet to make its seal, and finds the message; where one is found it may have missed it, and the message is sent once
 * more, in a file of its own: who has it drops that as a repeat. Seals are removed some time after the stream has stopped
 * growing, so a look that comes late counts for nothing; nor does one when links are missing, because then somebody has
 * cleared a drop box.
 *
 * A subscription is the target of one stream of a publisher at a time, and any other message to it ends that one: receivers see
 * what a publisher sends in the order in which it was sent.
 */
export class Streams {
  readonly #spool: Spool;
  readonly #drafts: Drafts;
  readonly #lanes = new WeakMap<Target, Lane>();
  /** Lanes with a stream, the oldest first. */
  readonly #open = new Set<Lane>();
  #timer: NodeJS.Timeout | undefined;
  #cancelAtExit: (() => void) | undefined;

  constructor(spool: Spool, drafts: Drafts) {
    this.#spool = spool;
    this.#drafts = drafts;
  }

  /**
   * Hands messages to subscriptions by appending them to the stream that goes to just these.
   * @returns whether that was done; if not, some of them may have the messages all the same @throws the system's error: ENOSPC …
   */
  append(priority: number, text: string, lines: number, targets: readonly Target[]): boolean {
    const lane = this.#laneOf(priority, targets);
    if (lane?.stream === undefined || text.length > MAX_APPENDED_BYTES) return false;
    const bytes = SCRATCH.subarray(0, SCRATCH.write(text));
    return this.takes(lane, bytes.length, lines, moment()) && this.#write(lane, bytes, lines);
  }

  /** The lane of messages to these subscriptions. It stays theirs as long as it takes any. */
  laneTo(priority: number, targets: readonly Target[]): Lane | undefined {
    return this.#laneOf(priority, targets);
  }

  /** Whether so many lines may be appended. @param bytes that they have at the most */
  takes({ lastAt, stream }: Lane, bytes: number, lines: number, now: Moment): boolean {
    if (stream === undefined || bytes > this.#maxAppended) return false;
    if (now.steady - lastAt >= SOON_MS || isOld(stream, now)) return false;
    return stream.bytes + bytes <= this.#maxBytes && stream.lines + lines <= MAX_LINES;
  }

  /** Appends one line. @param lane which takes it @returns as `append` @throws as `append` */
  appendTo(lane: Lane, line: string): boolean {
    return this.#write(lane, line, 1);
  }

  #write(lane: Lane, what: string | Buffer, lines: number): boolean {
    const stream = lane.stream as Stream;
    const { fileSystem } = this.#spool;
    const { fd } = stream.draft;
    try {
      if (typeof what === "string") stream.bytes += writeAllText(fileSystem, fd, what);
      else {
        writeAll(fileSystem, fd, what);
        stream.bytes += what.length;
      }
      stream.lines += lines;
      const now = moment();
      lane.lastAt = now.steady;
      if (isRecent(stream.look, now) || this.#isRead(stream, lane.targets)) return true;
      if (stream.lines < WORTHWHILE_LINES) lane.pausedUntil = now.steady + PAUSE_MS;
    } catch (error) {
      // It may end in a torn line, which no reader takes for a message.
      this.#abandon(lane);
      throw error;
    }
    this.#abandon(lane);
    return false;
  }

  /** Looks whether everybody reads on, so that the next message need not. @throws the system's error */
  lookAgain(lane: Lane): void {
    if (lane.stream !== undefined && !this.#isRead(lane.stream, lane.targets)) this.#abandon(lane);
  }

  /**
   * To be called before a file of their own goes to these subscriptions: their streams end.
   * @returns whether that file had better be a stream, because another message came just before
   */
  turnOver(priority: number, bytes: number, targets: readonly Target[]): boolean {
    const now = performance.now();
    const known = this.#laneOf(priority, targets);
    if (known === undefined) {
      const lane: Lane = { targets, priority, lastAt: now, pausedUntil: 0, stream: undefined };
      for (const target of targets) {
        const other = this.#lanes.get(target);
        if (other !== undefined) this.#end(other);
        this.#lanes.set(target, lane);
      }
      return false;
    }
    this.#end(known);
    const isSoon = now - known.lastAt < SOON_MS && now >= known.pausedUntil;
    known.lastAt = now;
    return isSoon && bytes <= this.#maxAppended && targets.every(({ takesStreams }) => takesStreams);
  }

  /** From now on a file can be appended to. The caller leaves its draft to this. @param look from before it was linked */
  begin(draft: Draft, fileName: string, bytes: number, lines: number, targets: readonly Target[], look: Moment): void {
    const [first] = targets;
    const lane = first && this.#lanes.get(first);
    if (lane === undefined) return this.#drafts.release(draft);
    lane.stream = new Stream(draft, fileName, bytes, lines, look);
    this.#open.add(lane);
    this.#cancelAtExit ??= atExit(() => this.close());
    const [oldest] = this.#open;
    if (this.#open.size > MAX_STREAMS && oldest !== undefined) this.#end(oldest);
    this.#timer ??= setTimeout(() => this.#endIdle(), 2 * SOON_MS).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#cancelAtExit?.();
    for (const lane of this.#open) this.#end(lane);
  }

  #laneOf(priority: number, targets: readonly Target[]): Lane | undefined {
    const [first] = targets;
    const lane = first && this.#lanes.get(first);
    if (lane === undefined || lane.priority !== priority || lane.targets.length !== targets.length) return undefined;
    return targets.every((target, i) => lane.targets[i] === target && this.#lanes.get(target) === lane)
      ? lane
      : undefined;
  }

  get #maxAppended(): number {
    return Math.min(MAX_APPENDED_BYTES, this.#spool.limits.maxEnvelopeBytes);
  }

  get #maxBytes(): number {
    return Math.min(MAX_BYTES, this.#spool.limits.maxEnvelopeBytes);
  }

  /** Whether everybody reads on, or had not stopped when the bytes were written. The age comes last: see above. */
  #isRead(stream: Stream, targets: readonly Target[]): boolean {
    const look = moment();
    for (const target of targets) if (target.holds(stream.seal)) return false;
    // Theirs, and that of the outbox.
    if (this.#spool.fileSystem.fstat(stream.draft.fd).nlink !== targets.length + 1) return false;
    // Only a look that has succeeded counts.
    stream.look = look;
    return !isOld(stream, moment());
  }

  /** Nothing more is appended, and its readers need not wait for more. */
  #end(lane: Lane): void {
    try {
      if (lane.stream !== undefined) writeAll(this.#spool.fileSystem, lane.stream.draft.fd, END, END.length);
    } catch {
      // They find out by themselves.
    }
    this.#abandon(lane);
  }

  /** Nothing more is appended. */
  #abandon(lane: Lane): void {
    const { stream } = lane;
    lane.stream = undefined;
    this.#open.delete(lane);
    if (stream !== undefined) this.#drafts.release(stream.draft);
  }

  #endIdle(): void {
    this.#timer = undefined;
    for (const lane of this.#open) if (performance.now() - lane.lastAt >= SOON_MS) this.#end(lane);
    if (this.#open.size > 0) this.#timer = setTimeout(() => this.#endIdle(), 2 * SOON_MS).unref();
  }
}

function isOld({ beganAt, beganMs }: Stream, now: Moment): boolean {
  return now.steady - beganAt >= MAX_GROWTH_MS || Math.abs(now.wall - beganMs) >= MAX_GROWTH_MS;
}
