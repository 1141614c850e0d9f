import type { Directory } from "../directory.js";
import { fromErrno, errnoOf } from "../errors.js";
import type { Envelope } from "../envelope.js";
import { isStream } from "../message-name.js";
import { Claim, type ClaimedEnvelope } from "../settle/claim.js";
import { curName, isOwnFile } from "../settle/claim-names.js";
import { DeadLetters } from "../settle/dead-letters.js";
import type { LateNotes } from "../settle/late-notes.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";
import { removeFromTally } from "../tally.js";
import { whenReady } from "../when-ready.js";
import { Express } from "./express.js";
import { InWork } from "./in-work.js";
import type { Verdict } from "./judge.js";
import { FileJudge, type Step } from "./judge-file.js";
import type { OpenStream } from "./open-stream.js";
import { OpenStreams } from "./open-streams.js";
import { StreamReader } from "./stream-reader.js";
import { loadFile, type LoadedFile, type UnfitLoad } from "./load.js";
import type { PendingFile } from "./pending.js";
import { buryUnfit, clearStray } from "./quarantine.js";
import { PlainLines } from "./plain-lines.js";
import type { Refusal } from "./refusal.js";
import { SecondCopies } from "./second-copies.js";
import type { SeenIds } from "./seen.js";

/** An envelope that passed every check, ready for the handler. */
export interface Taken extends ClaimedEnvelope {
  /** Empty until it is entered (express.ts). */
  raw: string;
  readonly claim: Claim;
  readonly envelope: Envelope;
  /** 1 for the first. */
  readonly attempt: number;
  /** It was in work when a consumer died, and may be what killed it. */
  readonly isSuspect: boolean;
  /** Of those who keep account of it (in-work.ts). */
  slot: number;
}

/** What happens to envelopes that are not delivered. */
export interface TakeReports {
  refused(refusal: Refusal): void;
  duplicate(): void;
  expired(): void;
  /** An open stream may have grown. */
  readonly grown: (stream: OpenStream) => void;
  /** An entry of `new/` is about to change by our doing. */
  ownMove(name: string): void;
}

/** How long a file that cannot be read or judged now is left alone, in milliseconds. */
const LOOK_AGAIN_MS = 1_000;

/** The stage between a file in a drop box and a message for a handler: claim, read, judge. */
export class Taker {
  readonly #spool: Spool;
  readonly #directories: SubscriptionDirectories;
  readonly #letters: DeadLetters;
  readonly #judge: FileJudge;
  readonly #seen: SeenIds;
  readonly #plain = new PlainLines();
  readonly #lateNotes: LateNotes;
  readonly #consumer: string;
  readonly #reports: TakeReports;
  readonly streams: OpenStreams;
  /** Ids in work, of which a second copy must not start. */
  readonly #inWork = new InWork();
  readonly #secondCopies = new SecondCopies();
  /** Claimed files that can neither be read nor put back for now. */
  readonly #stuck = new Set<Claim>();
  readonly express: Express;

  constructor(
    spool: Spool,
    directories: SubscriptionDirectories,
    seen: SeenIds,
    lateNotes: LateNotes,
    consumer: string,
    reports: TakeReports,
  ) {
    this.#spool = spool;
    this.#directories = directories;
    this.#letters = new DeadLetters(spool, directories);
    this.#judge = new FileJudge(spool, directories);
    this.#seen = seen;
    this.#lateNotes = lateNotes;
    this.#consumer = consumer;
    this.#reports = reports;
    this.express = new Express(spool, seen, this.#inWork);
    this.streams = new OpenStreams(spool, directories, {
      judge: (stream, loaded) => this.#judge.judgeLine(stream, loaded),
      onGrowth: reports.grown,
      onUnused: (step) => this.endUnused(step),
      onOwnMove: (name) => reports.ownMove(name),
    });
  }

  /**
   * Claims a file and judges what is in it: no steps when another consumer was faster, the file is unfit, or a stream, whose
   * messages `streams` gives. A promise only when that takes a large read, a question to the account database, or a schema that is
   * not loaded.
   * @param next streams that wait to be taken
   * @throws BusError when the system refuses; the file then waits for a later attempt
   */
  take(pending: PendingFile, next: () => readonly string[]): Step[] | Promise<Step[]> {
    const claim = this.#claim(pending);
    if (claim === undefined) return [];
    try {
      if (isStream(pending.file)) {
        const { kind } = this.#directories.record;
        if (pending.from === "new" && this.#follow(claim, pending)) return [];
        // Nobody ever appends to what is in those two (open-subscription.ts).
        const sealed = kind === "queue" || kind === "inbox" ? undefined : this.streams.seal(pending.file, next);
        if (sealed instanceof Promise) {
          const taking = sealed.then(() => this.#takeWhole(claim, pending));
          return taking.catch((error: unknown) => this.#giveBack(claim, error));
        }
      }
      const steps = this.#takeWhole(claim, pending);
      return steps instanceof Promise ? steps.catch((error: unknown) => this.#giveBack(claim, error)) : steps;
    } catch (error) {
      return this.#giveBack(claim, error);
    }
  }

  #takeWhole(claim: Claim, pending: PendingFile): Step[] | Promise<Step[]> {
    const how = { isOwn: isOwnFile(claim.file), isStream: isStream(claim.file) };
    const load = loadFile(this.#spool, claim.path, this.#plain, how);
    return whenReady(load, (loaded) => this.#stepsOf(claim, loaded, pending));
  }

  /**
   * Does what was decided for one envelope.
   * @returns the message to deliver, if it is one @throws BusError when the system refuses; the step can be repeated
   */
  execute(step: Step): Taken | undefined {
    const { claim, pending, index, attempt, isSuspect, raw, verdict } = step;
    try {
      if (verdict.kind === "refuse") return this.#refuse(claim, index, raw, verdict);
      if (verdict.kind === "expired") return this.#drop(claim, index, () => this.#reports.expired());
      if (this.isRepeat(step)) return this.#drop(claim, index, () => this.#reports.duplicate());
      const { envelope, sender } = verdict;
      claim.begin(index);
      const taken = { claim, index, attempt, isSuspect, envelope, raw, sender, slot: 0 };
      this.#inWork.add(taken);
      // From now on a second copy in new/ is a repeat.
      this.#seen.add(sender.uid, envelope.id);
      if (pending.from === "retry" && isStream(claim.file))
        this.#secondCopies.note(sender.uid, envelope.id, claim.file);
      return taken;
    } catch (error) {
      throw fromErrno(error, "settle a message in", this.#directories.path);
    }
  }

  /** Whether an envelope was delivered before, or another copy of it is in work. */
  isRepeat({ claim, pending, verdict }: Step): boolean {
    if (verdict.kind !== "deliver") return false;
    const { sender, envelope } = verdict;
    // What is in work was added to those seen.
    if (this.#seen.isLatest(sender.uid, envelope.id)) return false;
    if (this.#inWork.has(sender.uid, envelope.id)) return true;
    const copies = pending.from === "new" ? this.#seen : this.#secondCopies;
    return copies.has(sender.uid, envelope.id, claim.file);
  }

  /** What was not meant to be handed out is done with, while it is known to be that: what is put back is no repeat any more. */
  endUnused(step: Step): void {
    if (step.verdict.kind === "deliver" && !this.isRepeat(step)) return;
    try {
      this.execute(step);
    } catch {
      // Judged anew by whoever comes next.
    }
  }

  /** An envelope is settled or put back. */
  finish(taken: Taken): void {
    this.#inWork.delete(taken);
  }

  /** Deals with an entry of `new/` that is not a message file. */
  clearStray(name: string): void {
    this.#clearStray(this.#directories.new, name);
  }

  /**
   * The rename is what makes a message this consumer's: of several that try, one succeeds.
   *
   * It gives the file a name of its own as well: whoever saw the old one in `new/` could otherwise send another file under it,
   * which would replace the first in `cur/`, `retry/` or `dead/`.
   */
  #claim(pending: PendingFile): Claim | undefined {
    const { fileSystem, names } = this.#spool;
    const name = {
      attempt: pending.attempts + 1,
      user: this.#spool.user,
      consumer: this.#consumer,
      file: pending.from === "new" ? names.renamed(pending.file) : pending.file,
    };
    const from = this.#directories[pending.from].atOwn(pending.name);
    try {
      fileSystem.rename(from, this.#directories.cur.atOwn(curName(name)));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      // Somebody else's directory cannot be moved to another parent (rename(2): it would need a new "..").
      if (!this.#isDirectory(from)) throw fromErrno(error, "claim a message in", this.#directories.path);
      this.#clearStray(this.#directories[pending.from], pending.name);
      return undefined;
    }
    if (pending.from === "new" && this.#directories.tallyDir !== undefined) {
      removeFromTally(this.#spool, this.#directories.tallyDir, pending.file);
    }
    const origin = { arrivedAs: pending.file, isNew: pending.from === "new", wasInWork: pending.isSuspect };
    return new Claim(this.#spool, this.#directories, this.#letters, this.#lateNotes, name, origin);
  }

  /** Reads a stream while it grows, if its subscription is this consumer's alone. @returns false when it has to be read at once */
  #follow(claim: Claim, pending: PendingFile): boolean {
    if (this.#directories.record.streams !== true || !this.streams.hasRoom) return false;
    const reader = StreamReader.open(this.#spool, claim.path);
    if (!(reader instanceof StreamReader)) return false;
    let isOpen = false;
    try {
      // Uids are recycled: whose file it is, the account files must say that are there after it.
      if (reader.uid !== this.#spool.uid) this.#spool.accounts.refresh();
      const user = this.#spool.accounts.userOf(reader.uid);
      const sender = user === undefined ? undefined : { user, uid: reader.uid };
      isOpen = sender !== undefined && this.streams.open({ claim, pending, reader, sender });
    } finally {
      if (!isOpen) reader.close();
    }
    return isOpen;
  }

  #isDirectory(path: string): boolean {
    try {
      return this.#spool.fileSystem.lstat(path).isDirectory();
    } catch {
      return false;
    }
  }

  #stepsOf(claim: Claim, load: LoadedFile | UnfitLoad, pending: PendingFile): Step[] | Promise<Step[]> {
    // Uids are recycled: whose file it is, the account files must say that are there after it.
    if (load.uid !== this.#spool.uid) this.#spool.accounts.refresh();
    const unfit = this.#judge.findUnfit(claim, load, pending);
    if (unfit !== undefined) {
      this.#refuseFile(claim, unfit);
      if (pending.from === "retry") claim.dropNotes();
      return [];
    }
    return whenReady(this.#judge.judge(claim, load as LoadedFile, pending), (steps) => {
      if (steps === undefined) this.#release(claim);
      return steps ?? [];
    });
  }

  /** Puts back what could not be put back before. To be called from time to time. */
  freeStuck(): void {
    for (const claim of this.#stuck) this.#release(claim);
  }

  /** Nobody else may take it from `cur/` while this consumer lives, so it is tried until it has gone back. */
  #release(claim: Claim): void {
    try {
      claim.release(LOOK_AGAIN_MS);
      this.#stuck.delete(claim);
    } catch {
      this.#stuck.add(claim);
    }
  }

  /** Nothing has been handed out, so putting the file back loses nothing. */
  #giveBack(claim: Claim, error: unknown): Step[] {
    if (errnoOf(error) === "ENOENT") return [];
    this.#release(claim);
    // Its sender holds a lease on it (fcntl(2), F_SETLEASE), which the kernel ends by itself.
    if (errnoOf(error) === "EAGAIN") return [];
    throw fromErrno(error, "read a message in", this.#directories.path);
  }

  #clearStray(where: Directory, name: string): void {
    clearStray(this.#spool, this.#directories, this.#letters, where, name, (refusal) => this.#reports.refused(refusal));
  }

  #drop(claim: Claim, index: number, report: () => void): undefined {
    claim.ack(index);
    report();
  }

  #refuse(
    claim: Claim,
    index: number,
    raw: string,
    { reason, detail, sender }: Verdict & { kind: "refuse" },
  ): undefined {
    claim.refuse(index, raw, reason, detail, sender);
    this.#reports.refused({ reason, detail, sender, file: claim.arrivedAs, subscription: this.#directories.label });
  }

  #refuseFile(claim: Claim, load: UnfitLoad): void {
    const letter = DeadLetters.letterOf(claim.file);
    const aside = this.#directories.cur.atOwn(`.${letter}`);
    const unfit = { path: claim.path, aside, letter, name: claim.arrivedAs };
    this.#reports.refused(buryUnfit(this.#spool, this.#directories, this.#letters, unfit, load));
  }
}
