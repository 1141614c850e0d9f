import { setTimeout as delay } from "node:timers/promises";
import { Pending } from "../deliver/pending.js";
import type { Step } from "../deliver/judge-file.js";
import type { Refusal } from "../deliver/refusal.js";
import type { OpenStream } from "../deliver/open-stream.js";
import { SeenIds } from "../deliver/seen.js";
import { Taker, type Taken } from "../deliver/take.js";
import { fromErrno, type BusError } from "../errors.js";
import type { CurName } from "../settle/claim-names.js";
import { LateNotes } from "../settle/late-notes.js";
import { recoverClaims, removeOrphanedNotes } from "../settle/recover.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";
import { whenReady } from "../when-ready.js";
import { Alarm } from "./alarm.js";
import { OwnMoves } from "./own-moves.js";
import { Returns } from "./returns.js";
import { Settlement, type Attempts } from "./settlement.js";
import { noStatistics } from "./statistics.js";
import { TallyKeeper } from "./tally-keeper.js";

/** How long a consumer leaves a failing disk alone, in milliseconds. */
const FAILURE_PAUSE_MS = 1_000;
/** After so much work the event loop gets its turn, in milliseconds. */
const BREATHE_EVERY_MS = 10;
/** What is no message is cleared away in between, a few at a time. */
const STRAYS_AT_ONCE = 20;
/** Streams that are sealed at once where one has to be. */
const SEALED_AT_ONCE = 256;

export interface ConsumerOptions extends Attempts {
  /** Names this consumer in its claims. */
  readonly consumer: string;
  /** Whether settled ids are kept beyond this process. */
  readonly keepsSeen: boolean;
  /** Whether others consume the same subscription, so that claims in `cur/` may be theirs. */
  readonly isShared: boolean;
  /** Whether the consumer that a claim names has died. */
  readonly isDead: (claim: CurName) => boolean;
  readonly onRefused: ((refusal: Refusal) => void) | undefined;
}

/**
 * Takes messages out of one subscription, one at a time and in order.
 *
 * Invariants: a message that `next()` returned is this consumer's until it is settled (settlement.ts) or released; whatever happens
 * to the process in between, the file is in `cur/`, `retry/` or `dead/`, and nowhere twice.
 */
export class Consumer {
  readonly statistics = noStatistics();
  readonly settlement: Settlement;
  readonly #spool: Spool;
  readonly #directories: SubscriptionDirectories;
  readonly #options: ConsumerOptions;
  readonly #pending: Pending;
  readonly #seen: SeenIds;
  readonly #taker: Taker;
  readonly #alarm = new Alarm();
  readonly #ownMoves = new OwnMoves();
  readonly #lateNotes = new LateNotes((error) => this.#warnOfNotes(error));
  readonly #tallyKeeper: TallyKeeper;
  /** What is left to do of the file at hand, the last first. */
  #steps: Step[] = [];
  readonly #returns: Returns;
  /** Whoever asked for a message before, until there is one. */
  #turn: Promise<void> | undefined;
  /** Of whoever waits since `poll()` returned; undefined when something may be to be taken from files meanwhile, such as a retry. */
  #onTaken: ((taken: Taken) => boolean) | undefined;
  /** Something that `poll()` has to wait for. */
  #waiting: Promise<void> | undefined;
  /** Nothing is to be taken before the alarm rings. */
  #isIdle = false;
  #hasLeftClaims = false;
  /** By performance.now(). */
  #breatheAt = 0;
  /** When a message was last asked for, by performance.now(). */
  polledAt = 0;
  #isStopped = false;
  #failure: BusError | undefined;

  constructor(spool: Spool, directories: SubscriptionDirectories, options: ConsumerOptions) {
    this.#spool = spool;
    this.#directories = directories;
    this.#options = options;
    this.#pending = new Pending(spool, directories);
    this.#returns = new Returns(directories.path);
    this.#tallyKeeper = new TallyKeeper(spool, directories);
    this.#seen = new SeenIds(spool, options.keepsSeen ? directories.top : undefined, options.isShared);
    this.#taker = new Taker(spool, directories, this.#seen, this.#lateNotes, options.consumer, {
      refused: (refusal) => this.#refused(refusal),
      duplicate: () => void this.statistics.duplicates++,
      expired: () => void this.statistics.expired++,
      grown: (stream) => this.#grown(stream),
      ownMove: (name) => this.#ownMoves.add(name),
    });
    this.settlement = new Settlement(directories, options, this.statistics, {
      settling: () => this.enter(),
      finished: (taken) => this.#taker.finish(taken),
      putBack: () => this.wake(),
    });
  }

  /** Brings back what dead consumers left; to be called before the first `next()`. */
  async start(): Promise<void> {
    this.#recover();
    this.#taker.streams.start();
    removeOrphanedNotes(this.#spool, this.#directories, !this.#options.isShared);
    this.#tallyKeeper.look();
  }

  /** Anything may have changed. */
  wake(): void {
    this.#pending.invalidate();
    this.#taker.streams.doubt();
    this.#alarm.ring();
  }

  /**
   * An entry of `new/` has come or gone. To be called by the event loop only: whoever waits takes the message before this returns.
   * @param isNext whether it is the next change there after the one reported before
   */
  notice(name: string, isNext: boolean): void {
    if (!isNext) {
      this.#pending.doubt();
      this.#taker.streams.doubt();
    }
    if (this.#ownMoves.explains(name)) return;
    this.#pending.notice(name);
    this.#alarm.ringNow();
  }

  /** Looks for what no event reported. To be called from time to time. */
  async tick(): Promise<void> {
    if (this.#isStopped) return;
    if (!this.#directories.isInPlace()) return this.fail(this.#directories.removed());
    if (this.#options.isShared || this.#hasLeftClaims) this.#recover();
    if (this.#options.isShared) removeOrphanedNotes(this.#spool, this.#directories, false);
    this.#tallyKeeper.look();
    this.#taker.freeStuck();
    if (this.#pending.hasChanged()) this.wake();
    if (this.#taker.streams.tick()) this.#alarm.ring();
  }

  /**
   * The next message; waits for one. undefined once stopped.
   * @throws BusError ERR_NOT_FOUND when the subscription was removed, ERR_LOCK_LOST
   */
  next(): Promise<Taken | undefined> {
    const mine = this.#turn === undefined ? this.#next() : this.#turn.then(() => this.#next());
    const forget = () => {
      if (this.#turn === turn) this.#turn = undefined;
    };
    const turn = mine.then(forget, forget);
    this.#turn = turn;
    return mine;
  }

  /**
   * The next message if it is at hand. If not, `onChange` is called once, as soon as there may be one or the consumer has stopped.
   * Not to be called again before that, nor while a `next()` waits.
   * @param onTaken called with each message that comes alone while one waits; returns whether one still waits then: if not, `onChange`
   *   is not called any more
   * @throws as `next`
   */
  poll(onChange: () => void, onTaken?: (taken: Taken) => boolean): Taken | undefined {
    this.#onTaken = undefined;
    while (!this.#isStopped) {
      let waiting: void | Promise<void>;
      try {
        const now = (this.polledAt = performance.now());
        if (now >= this.#breatheAt) waiting = breathe();
        else {
          const taken = this.#nextOfFile(now);
          if (taken !== undefined) return taken;
          waiting = this.#nextFile();
        }
        if (waiting !== undefined || this.#isIdle) this.#lateNotes.writeSoon();
        if (waiting === undefined && this.#isIdle) {
          this.#isIdle = false;
          if (this.#alarm.wait(this.#pending.nextDueMs, () => this.#goOn(onChange))) {
            // Whatever changes that rings the alarm.
            if (this.#pending.isEmpty) this.#onTaken = onTaken;
            return undefined;
          }
        }
      } catch (error) {
        waiting = this.#pause(error);
      }
      if (waiting === undefined) continue;
      this.#waiting = waiting
        .catch((error: unknown) => this.#pause(error))
        .finally(() => {
          this.#waiting = undefined;
          this.#goOn(onChange);
        });
      return undefined;
    }
    // Other handlers may take long to finish.
    this.#lateNotes.writeSoon();
    if (this.#failure !== undefined) throw this.#failure;
    return undefined;
  }

  /** Puts the message back as if it had not been handed out, when this consumer closes. */
  release(taken: Taken): void {
    this.enter();
    try {
      taken.claim.takeBack(taken.index);
    } catch {
      // It goes back all the same; only the attempt counts.
    }
    this.#taker.finish(taken);
    this.#returns.add(taken.claim);
  }

  /** To be called when a handler has returned that a message was given to: see Express. */
  enter(): void {
    this.#taker.express.enter();
  }

  /** Hands out nothing more; a waiting `next()` returns undefined. */
  stop(): void {
    this.#isStopped = true;
    this.#alarm.ring();
  }

  fail(error: BusError): void {
    this.#failure ??= error;
    this.stop();
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  get failure(): BusError | undefined {
    return this.#failure;
  }

  /** After the last settlement: returns what was claimed and not handed out, and forgets the rest. */
  async close(): Promise<void> {
    this.stop();
    await this.#turn;
    await this.#waiting;
    for (const step of this.#steps.splice(0)) this.#returnUnused(step);
    for (const claim of await this.#taker.streams.close()) this.#returns.add(claim);
    this.#returns.close();
    this.#lateNotes.close();
    this.#seen.flush();
  }

  async #next(): Promise<Taken | undefined> {
    for (;;) {
      let change = noChange;
      const changed = new Promise<void>((resolve) => (change = resolve));
      const taken = this.poll(change);
      if (taken !== undefined || this.#isStopped) return taken;
      await changed;
    }
  }

  /** A stream has grown. While somebody waits nothing else is to be taken, so a message that comes alone need not line up. */
  #grown(stream: OpenStream): void {
    const onTaken = this.#onTaken;
    const taken = onTaken && this.#takeGrown(stream);
    if (onTaken === undefined || taken === undefined) return this.#alarm.ringNow();
    this.#breatheAt = performance.now() + BREATHE_EVERY_MS;
    // Nobody waits while the handler runs: it may settle what rings, and let another one poll.
    const onRing = this.#alarm.disarm();
    const isAwaited = onTaken(taken);
    this.enter();
    if (!isAwaited || onRing === undefined) return;
    // Without a time, since nothing is due; and whatever has changed that meanwhile has rung.
    if (this.#alarm.wait(Infinity, onRing)) this.#lateNotes.writeNow();
    else queueMicrotask(onRing);
  }

  #takeGrown(stream: OpenStream): Taken | undefined {
    const { streams, express } = this.#taker;
    if (!this.#alarm.isAwaited || !streams.hasOnly(stream)) return undefined;
    try {
      this.#lateNotes.writeIfDue();
      const taken = express.take(stream);
      return taken && this.#handOut(taken);
    } catch {
      // `poll()` meets it too, and tells.
      return undefined;
    }
  }

  #handOut(taken: Taken): Taken {
    // Whoever wants no second attempt gets none, whenever it dies.
    if (this.#options.maxAttempts === 1) {
      this.enter();
      taken.claim.confirmBegun(taken.index);
    }
    this.statistics.delivered++;
    return taken;
  }

  #goOn(onChange: () => void): void {
    this.#breatheAt = performance.now() + BREATHE_EVERY_MS;
    onChange();
  }

  /** Does the steps of the file at hand up to the next message. */
  #nextOfFile(now: number): Taken | undefined {
    // To tell of what is refused runs the user's code, which may stop this.
    for (let step = this.#steps.at(-1); step !== undefined && !this.#isStopped; step = this.#steps.at(-1)) {
      this.#lateNotes.writeIfDue(now);
      const taken = this.settlement.isExhausted(step) ? this.settlement.giveUp(step) : this.#taker.execute(step);
      this.#steps.pop();
      if (taken !== undefined) return this.#handOut(taken);
    }
    return undefined;
  }

  #recover(): void {
    const { recovered, left } = recoverClaims(this.#spool, this.#directories, this.#options.isDead);
    this.#hasLeftClaims = left > 0;
    if (recovered > 0) this.wake();
  }

  /** Claims the next file, or finds that there is none. */
  #nextFile(): void | Promise<void> {
    const { readings } = this.#pending;
    const looking = this.#pending.look();
    // What was appended before a file that the listing shows may still have to be reported.
    if (this.#pending.readings !== readings) this.#taker.streams.doubt();
    return looking === undefined ? this.#claimNext() : looking.then(() => this.#claimNext());
  }

  #claimNext(): void | Promise<void> {
    this.#isIdle = false;
    const streamed = this.#taker.streams.next(this.#pending.head);
    if (streamed instanceof Promise) return streamed.then((step) => void this.#steps.push(step));
    if (streamed !== undefined) return void this.#steps.push(streamed);
    const pending = this.#pending.take();
    for (const stray of this.#pending.takeStrays(STRAYS_AT_ONCE)) this.#taker.clearStray(stray);
    if (pending === undefined) return void (this.#isIdle = !this.#pending.hasStrays);
    if (pending.from === "new") this.#ownMoves.add(pending.name);
    return whenReady(
      this.#taker.take(pending, () => this.#pending.nextStreams(SEALED_AT_ONCE)),
      (steps) => void (this.#steps = steps.reverse()),
    );
  }

  #returnUnused(step: Step): void {
    this.#returns.add(step.claim);
    this.#taker.endUnused(step);
  }

  #refused(refusal: Refusal): void {
    const { refused } = this.statistics;
    refused[refusal.reason] = (refused[refusal.reason] ?? 0) + 1;
    try {
      this.#options.onRefused?.(refusal);
    } catch (error) {
      process.emitWarning(`onRefused failed: ${(error as Error | undefined)?.message ?? ""}`, "AgentbusWarning");
    }
  }

  /** A full disk, no descriptors left, or the subscription gone: says so, and tries again unless that is hopeless. */
  async #pause(cause: unknown): Promise<void> {
    const error = fromErrno(cause, "look for messages in", this.#directories.path);
    if (!this.#isStopped && !this.#directories.isInPlace()) return this.fail(this.#directories.removed(error));
    this.#pending.invalidate();
    warn(error, `in ${FAILURE_PAUSE_MS} ms`);
    await delay(FAILURE_PAUSE_MS);
  }

  #warnOfNotes(cause: unknown): void {
    warn(fromErrno(cause, "note what is done in", this.#directories.path), `in ${FAILURE_PAUSE_MS} ms`);
    setTimeout(() => this.#lateNotes.writeSoon(), FAILURE_PAUSE_MS).unref();
  }
}

/** Whatever waits, and however fast it is handled: the process has other things to do as well. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function warn({ message, code }: BusError, again: string): void {
  process.emitWarning(`${message}; trying again ${again}`, { type: "AgentbusWarning", code });
}

function noChange(): void {}
