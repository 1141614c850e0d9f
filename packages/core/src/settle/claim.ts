import type { Sender } from "../deliver/judge.js";
import { parseEnvelope } from "../deliver/load.js";
import type { DeadReason } from "../deliver/refusal.js";
import { ignoreMissing } from "../directory.js";
import type { Envelope } from "../envelope.js";
import { isMessageFile, isStream } from "../message-name.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";
import { whenReady } from "../when-ready.js";
import { curName, isOwnFile, ownFile, retryName, SUSPECT_DUE_MS, type CurName } from "./claim-names.js";
import { DeadLetters, LINK_SUFFIX } from "./dead-letters.js";
import type { LateNotes } from "./late-notes.js";
import { Leaving } from "./leaving.js";
import { Progress } from "./progress.js";

/** One envelope of a claimed file, with what is needed to put it elsewhere. */
export interface ClaimedEnvelope {
  readonly index: number;
  /** As it was read, whatever a handler has done to the envelope that it was given. */
  readonly raw: string;
  readonly sender: Sender;
}

/** Where a claimed file comes from. */
export interface Origin {
  /** What its sender called it; after the first attempt, what we do. */
  readonly arrivedAs: string;
  /** Nobody claimed it before. */
  readonly isNew: boolean;
  /** It, or some of it, was in work when a consumer died. */
  readonly wasInWork: boolean;
}

/** Of an envelope. */
const State = Object.freeze({
  /** Settled, or gone elsewhere. */
  Done: 0,
  Open: 1,
  /** In work without a note. */
  Unconfirmed: 2,
});
type State = (typeof State)[keyof typeof State];

/**
 * A file in `cur/`: this consumer's alone until each of its envelopes is acknowledged, put back, or given up.
 *
 * A file with one envelope moves as a whole, so its inode keeps vouching for the sender and its link for the receipt. Of a file
 * with several, notes say which have begun and which are settled, because a crash must not repeat those that were acknowledged; one
 * that is put back while others are still in work leaves as a private record of its own.
 */
export class Claim {
  readonly #spool: Spool;
  readonly #directories: SubscriptionDirectories;
  readonly #letters: DeadLetters;
  readonly #name: CurName;
  readonly #curName: string;
  readonly #origin: Origin;
  readonly #lateNotes: LateNotes;
  /** Of each envelope. */
  #states: State[] = [];
  /** How many are not settled. */
  #open = 0;
  /** Of a file with several envelopes, or with those that may still come. */
  #progress: Progress | undefined;
  /** More envelopes may come: the file stays, also when all that are known are settled. */
  #isGrowing = false;
  /** Of a file with several: envelopes that are about to leave it. */
  #leaving: Leaving | undefined;

  constructor(
    spool: Spool,
    directories: SubscriptionDirectories,
    letters: DeadLetters,
    lateNotes: LateNotes,
    name: CurName,
    origin: Origin,
  ) {
    this.#spool = spool;
    this.#directories = directories;
    this.#letters = letters;
    this.#name = name;
    this.#curName = curName(name);
    this.#origin = origin;
    this.#lateNotes = lateNotes;
  }

  get arrivedAs(): string {
    return this.#origin.arrivedAs;
  }

  get file(): string {
    return this.#name.file;
  }

  /** Where the claimed file is, for a system call. */
  get path(): string {
    return this.#directories.cur.atOwn(this.#curName);
  }

  /**
   * Says how many envelopes there are, and finds out which of them are settled already. Large notes are read in the background.
   * @throws the system's error
   */
  expect(total: number): void | Promise<void> {
    if (total === 1 && !isStream(this.file)) return this.add(0);
    const progress = this.#notes();
    return whenReady(progress.read(), () => {
      this.#progress = progress;
      for (let index = 0; index < total; index++) if (!progress.isSettled(index)) this.add(index);
      // Somebody was here before us, and may have died while an envelope left, or before the file was removed.
      if (progress.hasBegun) this.#leavingOnes().finish((index) => progress.isSettled(index));
      this.#removeIfDone();
    });
  }

  /** Says that there will be envelopes, of a file that nobody claimed before. */
  expectMore(): void {
    this.#isGrowing = true;
    this.#progress = this.#notes();
  }

  /** Says that there is another one. */
  add(index: number): void {
    this.#states[index] = State.Open;
    this.#open++;
  }

  /** `add()` and `begin()` at once, of a file that nobody claimed before. */
  addBegun(index: number): void {
    this.#states[index] = State.Unconfirmed;
    this.#open++;
  }

  /** Says that there will be no more. @returns whether some are not settled */
  expectNoMore(): boolean {
    this.#isGrowing = false;
    this.#removeIfDone();
    return !this.#isDone;
  }

  isOpen(index: number): boolean {
    return (this.#states[index] ?? State.Done) !== State.Done;
  }

  /** Which attempt at an envelope the next one is. */
  attemptOf(index: number): number {
    return this.#progress === undefined ? this.#name.attempt : this.#progress.attemptsOf(index) + 1;
  }

  /** Whether an envelope was in work when a consumer died, and may be what killed it. */
  isSuspect(index: number): boolean {
    return this.#origin.wasInWork && (this.#progress === undefined || this.#progress.attemptsOf(index) > 0);
  }

  /**
   * An envelope is handed out; a crash from here on counts as an attempt. That of a file that nobody claimed before counts from
   * `confirmBegun()` on: a handler that is done at once need not wait for a note that nobody will read. One that dies before that is
   * found out the next time.
   */
  begin(index: number): void {
    if (this.#progress === undefined) return;
    if (this.#origin.isNew) this.#states[index] = State.Unconfirmed;
    else this.#progress.begin(index);
  }

  /** Makes sure that a crash counts. */
  confirmBegun(index: number): void {
    try {
      this.#noteBegun(index);
    } catch {
      // It is in work all the same; only a crash would go uncounted.
    }
  }

  /** The same, soon: what is done until then needs no note. Notes on others shall not wait for this one either. */
  confirmBegunSoon(index: number): void {
    if (this.#isUnconfirmed(index)) this.#lateNotes.addBegun(this, index);
    else this.#lateNotes.writeSoon();
  }

  /** An envelope that was handed out goes back with the rest of its file, as if it had not been. */
  takeBack(index: number): void {
    if (this.#isUnconfirmed(index)) this.#states[index] = State.Open;
    else this.#progress?.takeBack(index);
  }

  /**
   * Puts back everything that is not settled, in its place, without counting this as an attempt.
   * @param delayMs until it is looked at again @default 0
   */
  release(delayMs?: number): void {
    const isGone = this.#progress !== undefined && this.#isDone;
    const dueMs = delayMs === undefined && this.#origin.wasInWork ? SUSPECT_DUE_MS : Date.now() + (delayMs ?? 0);
    this.#closeNotes();
    if (!isGone) this.#moveTo(this.#retryPath(dueMs, this.#name.attempt - 1));
    this.#forgetAll();
  }

  /** Forgets what was noted about a file that is given up as a whole. */
  dropNotes(): void {
    if (isMessageFile(this.file)) this.#notes().remove();
  }

  /** @param isLate nobody waits for it: of a message that was handed out at once, it may be noted a moment later */
  ack(index: number, isLate = false): void {
    this.#settle(index, () => this.#removeFile(), isLate);
  }

  /** Puts an envelope back, to be delivered again at `dueMs` (ms since 1970). */
  putBack(claimed: ClaimedEnvelope, dueMs: number): void {
    if (!this.isOpen(claimed.index) && !this.#leaves(claimed.index)) return this.#removeIfDone();
    // It was an attempt, also where the handler put it back at once.
    this.#noteBegun(claimed.index);
    if (!this.#isLast(claimed.index)) return this.#leave(claimed, dueMs);
    this.#leaving?.stay(claimed.index);
    this.#moveTo(this.#retryPath(dueMs, this.#name.attempt));
    this.#forgetAll();
    this.#closeNotes();
  }

  /** Gives an envelope up: a copy and the reason go to `dead/`. */
  bury(claimed: ClaimedEnvelope, attempts: number, reason: DeadReason, detail: string): void {
    const { sender, raw } = claimed;
    const letter = this.#letterOf(claimed.index);
    const { id, topic } = parseEnvelope(raw) as Envelope;
    const facts = { reason, detail, attempts, id, topic, sender };
    this.#letters.bury(letter, { ...facts, file: this.arrivedAs, bytes: Buffer.byteLength(raw) }, raw);
    this.#settle(claimed.index, () => this.#keepLink(letter));
  }

  /** Drops an envelope that may not be delivered, and keeps it in `dead/` if there is room. */
  refuse(index: number, raw: string, reason: DeadReason, detail: string, sender: Sender): void {
    if (!this.#letters.hasRoomForRefused()) return this.ack(index);
    const letter = this.#letterOf(index);
    const facts = { reason, detail, attempts: this.attemptOf(index) - 1, id: null, topic: null, sender };
    this.#letters.bury(letter, { ...facts, file: this.arrivedAs, bytes: Buffer.byteLength(raw) }, raw);
    this.#settle(index, () => this.#keepLink(letter));
  }

  #letterOf(index: number): string {
    return DeadLetters.letterOf(this.#progress === undefined ? this.file : ownFile(this.file, index));
  }

  /** One envelope leaves, the others stay in work. */
  #leave(claimed: ClaimedEnvelope, dueMs: number): void {
    const { index } = claimed;
    const leaving = this.#leavingOnes();
    leaving.add(index, dueMs, this.attemptOf(index) - 1);
    if (this.isOpen(index)) {
      leaving.write(claimed);
      this.#progress?.settle(index);
      this.#close(index);
    }
    leaving.show(index);
    this.#removeIfDone();
  }

  #leavingOnes(): Leaving {
    return (this.#leaving ??= new Leaving(this.#spool, this.#directories.retry, this.file));
  }

  #leaves(index: number): boolean {
    return this.#leaving?.has(index) === true;
  }

  /** How many are about to leave. */
  get #leavingCount(): number {
    return this.#leaving?.size ?? 0;
  }

  /** The last envelope to be settled takes the file along; before that, only the note is made. */
  #settle(index: number, finish: () => void, isLate = false): void {
    this.#leaving?.stay(index);
    if (!this.isOpen(index)) return this.#removeIfDone();
    if (this.#isLast(index)) finish();
    else this.#note(index, isLate);
    this.#close(index);
    if (this.#isDone) this.#forgetNotes();
  }

  #note(index: number, isLate: boolean): void {
    const progress = this.#progress;
    if (progress === undefined) return;
    // What is noted to have begun must not look like that any longer than it is so.
    if (!isLate || !this.#isUnconfirmed(index)) return progress.settle(index);
    progress.settleLater(index);
    this.#lateNotes.addSettled(progress);
  }

  #isUnconfirmed(index: number): boolean {
    return this.#states[index] === State.Unconfirmed;
  }

  #close(index: number): void {
    this.#states[index] = State.Done;
    this.#open--;
  }

  #forgetAll(): void {
    this.#states = [];
    this.#open = 0;
  }

  #notes(): Progress {
    return new Progress(this.#spool.fileSystem, this.#directories.cur.base, this.file, this.#origin.isNew);
  }

  /** The file is gone, or will be found without them. */
  #forgetNotes(): void {
    if (this.#progress === undefined) return;
    this.#lateNotes.remove(this.#progress);
    this.#progress.remove();
  }

  #closeNotes(): void {
    if (this.#progress === undefined) return;
    this.#lateNotes.remove(this.#progress);
    this.#progress.close();
  }

  #noteBegun(index: number): void {
    if (!this.#isUnconfirmed(index)) return;
    this.#progress?.begin(index);
    this.#states[index] = State.Open;
  }

  /** Whether nothing but this envelope keeps the file where it is. */
  #isLast(index: number): boolean {
    if (this.#isGrowing || this.#open > 1 || !this.isOpen(index)) return false;
    return this.#leavingCount === (this.#leaves(index) ? 1 : 0);
  }

  /** Whether nothing keeps the file where it is. Hidden records are only found while it is there (leaving.ts). */
  get #isDone(): boolean {
    return this.#open === 0 && this.#leavingCount === 0 && !this.#isGrowing;
  }

  #removeIfDone(): void {
    if (!this.#isDone || this.#progress === undefined) return;
    this.#removeFile();
    this.#forgetNotes();
  }

  #removeFile(): void {
    ignoreMissing(() => this.#spool.fileSystem.unlink(this.path));
  }

  #retryPath(dueMs: number, attempts: number): string {
    return this.#directories.retry.atOwn(retryName({ dueMs, attempts, file: this.file }));
  }

  #moveTo(target: string): void {
    ignoreMissing(() => this.#spool.fileSystem.rename(this.path, target));
  }

  #keepLink(letter: string): void {
    if (this.#progress !== undefined || isOwnFile(this.file)) return this.#removeFile();
    this.#moveTo(this.#directories.dead.atOwn(`${letter}${LINK_SUFFIX}`));
  }
}
