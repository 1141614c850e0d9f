import fs from "node:fs";
import { readBounded, UnfitFile } from "./bounded-read.js";
import { ignoreMissing } from "./directory.js";
import { BusError, errnoOf, fromErrno } from "./errors.js";
import { validatePrivateRecord } from "./generated/validators.js";
import { ownSubscriptions } from "./own-subscriptions.js";
import { refuseUnknownOptions } from "./options.js";
import { PRIVATE_FILE_MODE } from "./permissions.js";
import { writeOwnFile } from "./private-file.js";
import { ownFile, retryName } from "./settle/claim-names.js";
import { COPY_SUFFIX, LINK_SUFFIX, REASON_SUFFIX } from "./settle/dead-letters.js";
import { lettersIn, type DeadLetter } from "./settle/read-letters.js";
import type { Spool } from "./spool.js";
import type { SubscriptionDirectories } from "./subscription-directories.js";

/** A dead letter with what was read of it; both absent when nothing could be read. */
export interface OpenedLetter extends DeadLetter {
  readonly envelope?: unknown;
  /** What was read, when it is not JSON. */
  readonly text?: string;
}

/** Which dead letters: some by name, or all. */
export interface LetterSelection {
  /** Names of letters, or ids of messages: an id stands for that message's letters in all subscriptions. */
  readonly names?: readonly string[] | undefined;
  /** @default false */
  readonly all?: boolean | undefined;
  /** Only those of this subscription, by its label. @default those of all */
  readonly subscription?: string | undefined;
}

export interface RetriedLetters {
  readonly retried: readonly DeadLetter[];
  /** Those that stay, and why. */
  readonly failed: readonly { readonly letter: DeadLetter; readonly error: BusError }[];
}

const SELECTION: ReadonlySet<string> = new Set(["names", "all", "subscription"] satisfies (keyof LetterSelection)[]);
const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = fs.constants;

/** Looks after dead letters: each call looks at the disk anew, and holds nothing afterwards. Use `deadLetters()`. */
export class DeadLetterOffice {
  readonly #spool: Spool;

  constructor(spool: Spool) {
    this.#spool = spool;
  }

  /** In the order in which they died. @param subscription its label @default those of all @throws BusError ERR_NOT_FOUND */
  list(subscription?: string): DeadLetter[] {
    const letters: DeadLetter[] = [];
    for (const directories of this.#subscriptions(subscription)) letters.push(...lettersIn(this.#spool, directories));
    return letters.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  }

  /** Reads what is left of letters. @throws BusError ERR_NOT_FOUND */
  async open(selection: LetterSelection): Promise<OpenedLetter[]> {
    const opened: OpenedLetter[] = [];
    for (const { directories, letter } of this.#selected(selection)) opened.push(await this.#open(directories, letter));
    return opened;
  }

  /**
   * Puts letters back, due now and with all their attempts; their consumers notice at once. What dies again is a new letter.
   * @throws BusError ERR_NOT_FOUND; letters that cannot be retried are in `failed`, with ERR_ENVELOPE_INVALID
   */
  async retry(selection: LetterSelection): Promise<RetriedLetters> {
    const retried: DeadLetter[] = [];
    const failed: { letter: DeadLetter; error: BusError }[] = [];
    for (const { directories, letter } of this.#selected(selection)) {
      try {
        await this.#retry(directories, letter);
        wake(this.#spool, directories);
        retried.push(letter);
      } catch (error) {
        failed.push({ letter, error: fromErrno(error, "retry", letter.letter) });
      }
    }
    return { retried, failed };
  }

  /** Removes letters for good. A receipt then counts their messages as done with. @throws BusError ERR_NOT_FOUND */
  drop(selection: LetterSelection): DeadLetter[] {
    const dropped: DeadLetter[] = [];
    for (const { directories, letter } of this.#selected(selection)) {
      // The reason last, because a letter is there for as long as its reason is.
      for (const suffix of [LINK_SUFFIX, COPY_SUFFIX, REASON_SUFFIX]) this.#remove(directories, letter, suffix);
      dropped.push(letter);
    }
    return dropped;
  }

  /** The selected letters, each while its subscription is open. */
  *#selected({ names = [], all = false, subscription, ...rest }: LetterSelection): Generator<{
    readonly directories: SubscriptionDirectories;
    readonly letter: DeadLetter;
  }> {
    refuseUnknownOptions("a selection of dead letters", rest, SELECTION);
    if (all === names.length > 0) throw new TypeError("select dead letters by their names, or all of them");
    const known = this.list(subscription);
    const isMeant = ({ letter, id }: DeadLetter, name: string) => letter === name || id === name;
    for (const name of names)
      if (!known.some((letter) => isMeant(letter, name))) throw noSuchLetter(name, subscription);
    for (const directories of this.#subscriptions(subscription)) {
      for (const letter of lettersIn(this.#spool, directories)) {
        if (all || names.some((name) => isMeant(letter, name))) yield { directories, letter };
      }
    }
  }

  *#subscriptions(label: string | undefined): Generator<SubscriptionDirectories> {
    let isFound = label === undefined;
    for (const directories of ownSubscriptions(this.#spool)) {
      if (label !== undefined && directories.label !== label) continue;
      isFound = true;
      yield directories;
    }
    if (!isFound) throw noSuchSubscription(this.#spool, label ?? "");
  }

  async #open(directories: SubscriptionDirectories, letter: DeadLetter): Promise<OpenedLetter> {
    const text =
      (await this.#read(directories, letter, COPY_SUFFIX)) ?? (await this.#read(directories, letter, LINK_SUFFIX));
    if (text === undefined) return letter;
    try {
      return { ...letter, envelope: JSON.parse(text) as unknown };
    } catch {
      return { ...letter, text };
    }
  }

  /** undefined when it is not there, or what is there cannot be read. */
  async #read({ dead }: SubscriptionDirectories, { letter }: DeadLetter, suffix: string): Promise<string | undefined> {
    const { fileSystem, limits } = this.#spool;
    try {
      const { bytes } = await readBounded(fileSystem, dead.atOwn(letter + suffix), 2 * limits.maxEnvelopeBytes);
      return bytes.toString("utf8");
    } catch (error) {
      if (error instanceof UnfitFile || errnoOf(error) === "ENOENT") return undefined;
      throw fromErrno(error, "read the dead letter", `${dead.path}/${letter}${suffix}`);
    }
  }

  /**
   * Its name in `retry/` is new, so that a consumer that gives it up at once cannot make a letter of the name that is removed here.
   * From the move on it will be delivered; a crash before the removal leaves the old letter as well.
   */
  async #retry(directories: SubscriptionDirectories, letter: DeadLetter): Promise<void> {
    if (!letter.isRetriable) throw notRetriable(letter, "nothing of it could be delivered");
    const { priority, ulid } = orderOf(letter.letter);
    const file = this.#spool.names.messageFile(priority, ulid);
    if (!this.#moveLink(directories, letter, file)) await this.#writeRecord(directories, letter, file);
    this.#remove(directories, letter, REASON_SUFFIX);
    this.#remove(directories, letter, COPY_SUFFIX);
  }

  /** The sender's own file, which still vouches for its sender and is judged again. @returns false when there is none */
  #moveLink({ dead, retry }: SubscriptionDirectories, { letter }: DeadLetter, file: string): boolean {
    const target = retry.atOwn(retryName({ dueMs: Date.now(), attempts: 0, file }));
    try {
      this.#spool.fileSystem.rename(dead.atOwn(letter + LINK_SUFFIX), target);
      return true;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return false;
      throw error;
    }
  }

  /** Only a copy is left: one envelope of a file of several. */
  async #writeRecord(directories: SubscriptionDirectories, letter: DeadLetter, file: string): Promise<void> {
    const { envelope } = await this.#open(directories, letter);
    const { sender } = letter;
    const record = { sender: { uid: sender?.uid, user: sender?.user }, envelope };
    // A private record is its consumer's own word, and a queue has many.
    if (directories.record.kind === "queue") throw notRetriable(letter, "its sender's file is gone");
    if (!validatePrivateRecord(record)) throw notRetriable(letter, "its copy or its sender is not what it should be");
    const name = retryName({ dueMs: Date.now(), attempts: 0, file: ownFile(file, 0) });
    writeOwnFile(this.#spool, directories.retry, name, `${JSON.stringify(record)}\n`, PRIVATE_FILE_MODE);
  }

  #remove({ dead }: SubscriptionDirectories, { letter }: DeadLetter, suffix: string): void {
    try {
      ignoreMissing(() => this.#spool.fileSystem.unlink(dead.atOwn(letter + suffix)));
    } catch (error) {
      throw fromErrno(error, "remove the dead letter", `${dead.path}/${letter}${suffix}`);
    }
  }
}

/** A letter is named after the file that its message came in. */
function orderOf(letter: string): { priority: number; ulid: string } {
  return { priority: Number(letter[0]), ulid: letter.slice(2, 28) };
}

/** Consumers watch `new/` only; whatever happens there makes them look at everything. */
function wake({ fileSystem, names }: Spool, directories: SubscriptionDirectories): void {
  const path = directories.new.atOwn(`.wake-${names.random(16)}`);
  fileSystem.close(fileSystem.open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, PRIVATE_FILE_MODE));
  ignoreMissing(() => fileSystem.unlink(path));
}

function notRetriable({ letter, reason, detail }: DeadLetter, why: string): BusError {
  return new BusError("ERR_ENVELOPE_INVALID", `cannot retry ${letter}: ${why} (${reason}: ${detail})`, {
    fix: `look at it: agentbus dead show ${letter}; forget it: agentbus dead drop ${letter}`,
  });
}

function noSuchLetter(name: string, subscription: string | undefined): BusError {
  const where = subscription === undefined ? "" : ` in ${subscription}`;
  return new BusError("ERR_NOT_FOUND", `there is no dead letter ${JSON.stringify(name)}${where}`, {
    fix: "agentbus dead ls",
  });
}

function noSuchSubscription({ user, path }: Spool, label: string): BusError {
  return new BusError(
    "ERR_NOT_FOUND",
    `${user} has no subscription ${JSON.stringify(label)} in ${path}, nor is it a queue there`,
    {
      fix: "agentbus status",
    },
  );
}
