import { fromErrno } from "../errors.js";
import { isKnown, untilKnown } from "../freshness.js";
import { mayHaveGrown } from "../message-name.js";
import type { Claim } from "../settle/claim.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";
import type { LoadedEnvelope } from "./load.js";
import { isBefore, nameOf, OpenStream, type FollowedStream, type Line } from "./open-stream.js";
import { Seals } from "./seals.js";
import type { Step } from "./judge-file.js";

/** Each holds two descriptors, and every look reads them all. */
const MAX_OPEN = 64;
/** What open streams need of whoever takes messages. */
export interface StreamHost {
  judge(stream: FollowedStream, loaded: LoadedEnvelope): Step | Promise<Step>;
  /** An open stream may have grown. */
  readonly onGrowth: (stream: OpenStream) => void;
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
  readonly #directories: SubscriptionDirectories;
  readonly #host: StreamHost;
  readonly #open = new Set<OpenStream>();
  readonly #seals: Seals;

  constructor(spool: Spool, directories: SubscriptionDirectories, host: StreamHost) {
    this.#directories = directories;
    this.#host = host;
    this.#seals = new Seals(spool, directories, (name) => host.onOwnMove(name));
  }

  /** Takes over the seals that others left. To be called when the consumer starts. @throws the system's error */
  start(): void {
    this.#seals.takeOver();
  }

  /** Whether another stream may be opened. */
  get hasRoom(): boolean {
    return this.#open.size < MAX_OPEN;
  }

  /** Reads a claimed stream from now on. @returns false when its growth cannot be watched */
  open(followed: FollowedStream): boolean {
    const stream = OpenStream.open(followed, this.#host.onGrowth);
    if (stream === undefined) return false;
    followed.claim.expectMore();
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

  /** Whether nothing has been read that is not handed on, and nothing can be read but of this stream. */
  hasOnly(stream: OpenStream): boolean {
    if (this.#open.size === 1) return stream.lines.length === 0;
    for (const each of this.#open) if (each.lines.length > 0 || (each.hasGrown && each !== stream)) return false;
    return true;
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
    this.#seals.removeOld();
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
    if (isOver) stream.sealedAt ??= this.#seals.set(stream.pending.file);
  }

  /**
   * Reads every stream to its end and lets go of it.
   * @returns the claims of those that hold unsettled messages
   */
  async close(): Promise<Claim[]> {
    const unsettled: Claim[] = [];
    for (const stream of this.#open) {
      try {
        if (!stream.reader.isEnded) stream.sealedAt ??= this.#seals.set(stream.pending.file);
      } catch {
        // Said below.
      }
    }
    for (const stream of this.#open) {
      this.#open.delete(stream);
      try {
        if (!stream.reader.isEnded) {
          stream.sealedAt ??= this.#seals.set(stream.pending.file);
          await untilKnown(stream.sealedAt);
        }
        while (this.#read(stream));
        for (const { step } of stream.lines.splice(0).reverse()) this.#host.onUnused(await step);
        if (stream.claim.expectNoMore()) unsettled.push(stream.claim);
      } catch {
        // Not read to the end, so it comes back even if everything that was read is settled.
        unsettled.push(stream.claim);
      } finally {
        stream.close();
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
    const sealedAt = this.#seals.set(file);
    if (!mayHaveGrown(file) || isKnown(sealedAt)) return;
    for (const each of next()) this.#seals.set(each);
    return untilKnown(sealedAt);
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
    stream.close();
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
      else stream.noteVerdict(loaded, step.verdict);
      lines.push(stream.nextLine(loaded.value, step));
    }
    lines.reverse();
    stream.lines = stream.lines.length === 0 ? lines : lines.concat(stream.lines);
    return true;
  }
}
