import type { Sender } from "../deliver/judge.js";
import type { DeadReason } from "../deliver/refusal.js";
import { ignoreMissing } from "../directory.js";
import type { Envelope } from "../envelope.js";
import { PRIVATE_FILE_MODE } from "../permissions.js";
import { writeOwnFile } from "../private-file.js";
import { isMessageFile, isStream } from "../message-name.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";
import { whenReady } from "../when-ready.js";
import {
  curName,
  hiddenOwnFile,
  isOwnFile,
  ownFile,
  parseHiddenOwnFile,
  retryName,
  SUSPECT_DUE_MS,
  type CurName,
} from "./claim-names.js";
import { DeadLetters, LINK_SUFFIX } from "./dead-letters.js";
import { Progress } from "./progress.js";

/** One envelope of a claimed file, with what is needed to put it elsewhere. */
export interface ClaimedEnvelope {
  readonly index: number;
  readonly envelope: Envelope;
  readonly raw: string;
  readonly sender: Sender;
}

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
  /** Or some of it was, when a consumer died. */
  readonly #wasInWork: boolean;
  #open = new Set<number>();
  /** Of a file with several envelopes, or with those that may still come. */
  #progress: Progress | undefined;
  /** More envelopes may come: the file stays, also when all that are known are settled. */
  #isGrowing = false;
  /** In work without a note. */
  readonly #unconfirmed = new Set<number>();
  /** Records of envelopes that are about to leave. */
  readonly #leaving = new Map<number, string>();

  constructor(
    spool: Spool,
    directories: SubscriptionDirectories,
    letters: DeadLetters,
    name: CurName,
    /** What its sender called it; after the first attempt, what we do. */
    readonly arrivedAs: string,
    wasInWork: boolean,
  ) {
    this.#spool = spool;
    this.#directories = directories;
    this.#letters = letters;
    this.#name = name;
    this.#curName = curName(name);
    this.#wasInWork = wasInWork;
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
    if (total === 1 && !isStream(this.file)) return void this.#open.add(0);
    const progress = new Progress(this.#spool.fileSystem, this.#directories.cur.base, this.file);
    return whenReady(progress.read(), () => {
      this.#progress = progress;
      for (let index = 0; index < total; index++) if (!progress.isSettled(index)) this.#open.add(index);
      // Somebody was here before us, and may have died while an envelope left, or before the file was removed.
      if (progress.hasBegun) this.#finishLeaving(progress);
      this.#removeIfDone();
    });
  }

  /** Says that there will be envelopes, of a file that nobody claimed before. */
  expectMore(): void {
    this.#isGrowing = true;
    this.#progress = new Progress(this.#spool.fileSystem, this.#directories.cur.base, this.file);
  }

  /** Says that there is another one. */
  add(index: number): void {
    this.#open.add(index);
  }

  /** Says that there will be no more. @returns whether some are not settled */
  expectNoMore(): boolean {
    this.#isGrowing = false;
    this.#removeIfDone();
    return !this.#isDone;
  }

  isOpen(index: number): boolean {
    return this.#open.has(index);
  }

  /** Which attempt at an envelope the next one is. */
  attemptOf(index: number): number {
    return this.#progress === undefined ? this.#name.attempt : this.#progress.attemptsOf(index) + 1;
  }

  /** Whether an envelope was in work when a consumer died, and may be what killed it. */
  isSuspect(index: number): boolean {
    return this.#wasInWork && (this.#progress === undefined || this.#progress.attemptsOf(index) > 0);
  }

  /**
   * An envelope is handed out; a crash from here on counts as an attempt. That of a growing file counts from `confirmBegun()` on: a
   * handler that is done at once need not wait for a note that nobody will read. One that dies before that is found out the
   * next time, when the file has ceased to grow.
   */
  begin(index: number): void {
    if (this.#isGrowing) this.#unconfirmed.add(index);
    else this.#progress?.begin(index);
  }

  /** Makes sure that a crash counts. */
  confirmBegun(index: number): void {
    try {
      this.#noteBegun(index);
    } catch {
      // It is in work all the same; only a crash would go uncounted.
    }
  }

  /** An envelope that was handed out goes back with the rest of its file, as if it had not been. */
  takeBack(index: number): void {
    if (!this.#unconfirmed.delete(index)) this.#progress?.takeBack(index);
  }

  /**
   * Puts back everything that is not settled, in its place, without counting this as an attempt.
   * @param delayMs until it is looked at again @default 0
   */
  release(delayMs?: number): void {
    const isGone = this.#progress !== undefined && this.#isDone;
    const dueMs = delayMs === undefined && this.#wasInWork ? SUSPECT_DUE_MS : Date.now() + (delayMs ?? 0);
    this.#progress?.close();
    if (!isGone) this.#moveTo(this.#retryPath(dueMs, this.#name.attempt - 1));
    this.#open.clear();
  }

  /** Forgets what was noted about a file that is given up as a whole. */
  dropNotes(): void {
    if (isMessageFile(this.file)) new Progress(this.#spool.fileSystem, this.#directories.cur.base, this.file).remove();
  }

  ack(index: number): void {
    this.#settle(index, () => this.#removeFile());
  }

  /** Puts an envelope back, to be delivered again at `dueMs` (ms since 1970). */
  putBack(claimed: ClaimedEnvelope, dueMs: number): void {
    if (!this.#open.has(claimed.index) && !this.#leaving.has(claimed.index)) return this.#removeIfDone();
    // It was an attempt, also where the handler put it back at once.
    this.#noteBegun(claimed.index);
    if (!this.#isLast(claimed.index)) return this.#leave(claimed, dueMs);
    this.#stay(claimed.index);
    this.#moveTo(this.#retryPath(dueMs, this.#name.attempt));
    this.#open.clear();
    this.#progress?.close();
  }

  /** Gives an envelope up: a copy and the reason go to `dead/`. */
  bury(claimed: ClaimedEnvelope, attempts: number, reason: DeadReason, detail: string): void {
    const { envelope, sender, raw } = claimed;
    const letter = this.#letterOf(claimed.index);
    const facts = { reason, detail, attempts, id: envelope.id, topic: envelope.topic, sender };
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

  /**
   * One envelope leaves, the others stay in work. Its record is written whole under a hidden name, then it is noted that the file is
   * done with it, then the record appears: at no moment is it in both places for somebody else to take.
   */
  #leave({ index, sender, envelope }: ClaimedEnvelope, dueMs: number): void {
    const { retry } = this.#directories;
    // Tried again after a failure, it goes under the name that it had: a record of its own would stay hidden for ever.
    const again = this.#leaving.get(index);
    const name = again ?? retryName({ dueMs, attempts: this.attemptOf(index) - 1, file: ownFile(this.file, index) });
    this.#leaving.set(index, name);
    if (this.#open.has(index)) {
      const record = `${JSON.stringify({ sender, envelope })}\n`;
      writeOwnFile(this.#spool, retry, hiddenOwnFile(name), record, PRIVATE_FILE_MODE);
      this.#progress?.settle(index);
      this.#unconfirmed.delete(index);
      this.#open.delete(index);
    }
    ignoreMissing(() => this.#spool.fileSystem.rename(retry.atOwn(hiddenOwnFile(name)), retry.atOwn(name)));
    this.#leaving.delete(index);
    this.#removeIfDone();
  }

  /** An envelope that was about to leave, and could not, stays with the file after all. */
  #stay(index: number): void {
    const name = this.#leaving.get(index);
    if (name === undefined) return;
    ignoreMissing(() => this.#spool.fileSystem.unlink(this.#directories.retry.atOwn(hiddenOwnFile(name))));
    this.#leaving.delete(index);
  }

  /** Ends what a consumer before us began: records of envelopes that have left appear, others are as if they had never been. */
  #finishLeaving(progress: Progress): void {
    const { retry } = this.#directories;
    const { fileSystem } = this.#spool;
    for (const entry of fileSystem.readdir(retry.base)) {
      const hidden = parseHiddenOwnFile(entry, this.file);
      if (hidden === undefined) continue;
      const path = retry.atOwn(entry);
      const end = () =>
        progress.isSettled(hidden.index) ? fileSystem.rename(path, retry.atOwn(hidden.name)) : fileSystem.unlink(path);
      ignoreMissing(end);
    }
  }

  /** The last envelope to be settled takes the file along; before that, only the note is made. */
  #settle(index: number, finish: () => void): void {
    this.#stay(index);
    if (!this.#open.has(index)) return this.#removeIfDone();
    this.#unconfirmed.delete(index);
    if (this.#isLast(index)) finish();
    else this.#progress?.settle(index);
    this.#open.delete(index);
    if (this.#isDone) this.#progress?.remove();
  }

  #noteBegun(index: number): void {
    if (!this.#unconfirmed.has(index)) return;
    this.#progress?.begin(index);
    this.#unconfirmed.delete(index);
  }

  /** Whether nothing but this envelope keeps the file where it is. */
  #isLast(index: number): boolean {
    if (this.#isGrowing || this.#open.size > 1 || !this.#open.has(index)) return false;
    return this.#leaving.size === (this.#leaving.has(index) ? 1 : 0);
  }

  /** Whether nothing keeps the file where it is. Hidden records are only found while it is there (`#finishLeaving()`). */
  get #isDone(): boolean {
    return this.#open.size === 0 && this.#leaving.size === 0 && !this.#isGrowing;
  }

  #removeIfDone(): void {
    if (!this.#isDone || this.#progress === undefined) return;
    this.#removeFile();
    this.#progress.remove();
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
