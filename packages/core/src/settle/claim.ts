import fs from "node:fs";
import type { Sender } from "../deliver/judge.js";
import type { DeadReason } from "../deliver/refusal.js";
import { ignoreMissing } from "../directory.js";
import type { Envelope } from "../envelope.js";
import { PRIVATE_FILE_MODE } from "../permissions.js";
import { writeOwnFile } from "../private-file.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";
import { curName, isOwnFile, ownFile, retryName, type CurName } from "./claim-names.js";
import { DeadLetters } from "./dead-letters.js";

const { O_CREAT, O_WRONLY, O_APPEND, O_NOFOLLOW } = fs.constants;

/** How long a file that could not be read is left alone, in milliseconds. */
const RELEASED_FOR_MS = 1_000;

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
 * A file with one envelope moves as a whole, so its inode keeps vouching for the sender and its link for the receipt. Of a
 * file with several, `<name>.progress` says which have begun (`s<index>`) and which are settled (`d<index>`), because a
 * crash must not repeat those that were acknowledged; what is put back leaves as a private record of its own.
 */
export class Claim {
  readonly #spool: Spool;
  readonly #directories: SubscriptionDirectories;
  readonly #letters: DeadLetters;
  readonly #name: CurName;
  readonly #curName: string;
  #open = new Set<number>();
  #total = 1;
  #progressFd: number | undefined;

  constructor(
    spool: Spool,
    directories: SubscriptionDirectories,
    letters: DeadLetters,
    name: CurName,
    /** What its sender called it; after the first attempt, what we do. */
    readonly arrivedAs: string,
  ) {
    this.#spool = spool;
    this.#directories = directories;
    this.#letters = letters;
    this.#name = name;
    this.#curName = curName(name);
  }

  get attempt(): number {
    return this.#name.attempt;
  }

  get file(): string {
    return this.#name.file;
  }

  /** Where the claimed file is, for a system call. */
  get path(): string {
    return this.#directories.cur.atOwn(this.#curName);
  }

  /** Says which envelopes there are to settle. @param total of all lines in the file, settled ones included */
  expect(indexes: Iterable<number>, total: number): void {
    this.#open = new Set(indexes);
    this.#total = total;
  }

  /** Notes that an envelope is handed out; a crash from here on counts as an attempt. */
  begin(index: number): void {
    this.#note(`s${index}\n`);
  }

  /** Puts the whole file back as if it had not been touched, for a while; for use before anything of it is handed out. */
  release(): void {
    const dueMs = Date.now() + RELEASED_FOR_MS;
    this.#moveTo(
      this.#directories.retry.atOwn(retryName({ dueMs, attempts: this.attempt - 1, file: this.#name.file })),
    );
  }

  ack(index: number): void {
    this.#settle(index, () => this.#removeFile());
  }

  /** Puts an envelope back, to be delivered again at `dueMs` (ms since 1970). */
  putBack(claimed: ClaimedEnvelope, dueMs: number, attempts: number): void {
    const { retry } = this.#directories;
    if (this.#total === 1) {
      this.#settle(claimed.index, () =>
        this.#moveTo(retry.atOwn(retryName({ dueMs, attempts, file: this.#name.file }))),
      );
      return;
    }
    const file = ownFile(this.#name.file, claimed.index);
    const record = { sender: claimed.sender, envelope: claimed.envelope };
    writeOwnFile(
      this.#spool,
      retry,
      retryName({ dueMs, attempts, file }),
      `${JSON.stringify(record)}\n`,
      PRIVATE_FILE_MODE,
    );
    this.#settle(claimed.index, () => this.#removeFile());
  }

  /** Gives an envelope up: a copy and the reason go to `dead/`. */
  bury(claimed: ClaimedEnvelope, reason: DeadReason, detail: string): void {
    const { envelope, sender, raw } = claimed;
    const letter = this.#letterOf(claimed.index);
    const facts = { reason, detail, attempts: this.attempt, id: envelope.id, topic: envelope.topic, sender };
    this.#letters.bury(letter, { ...facts, file: this.arrivedAs, bytes: Buffer.byteLength(raw) }, raw);
    this.#settle(claimed.index, () => this.#keepLink(letter));
  }

  /** Drops an envelope that may not be delivered, and keeps it in `dead/` if there is room. */
  refuse(index: number, raw: string, reason: DeadReason, detail: string, sender: Sender): void {
    if (!this.#letters.hasRoomForRefused()) return this.ack(index);
    const letter = this.#letterOf(index);
    const facts = { reason, detail, attempts: this.attempt - 1, id: null, topic: null, sender };
    this.#letters.bury(letter, { ...facts, file: this.arrivedAs, bytes: Buffer.byteLength(raw) }, raw);
    this.#settle(index, () => this.#keepLink(letter));
  }

  #letterOf(index: number): string {
    return DeadLetters.letterOf(this.#total === 1 ? this.#name.file : ownFile(this.#name.file, index));
  }

  /** The last envelope to be settled takes the file along; before that, only the note is made. */
  #settle(index: number, finish: () => void): void {
    if (!this.#open.has(index)) return;
    if (this.#open.size > 1) this.#note(`d${index}\n`);
    else finish();
    this.#open.delete(index);
    if (this.#open.size === 0) this.#closeProgress();
  }

  #removeFile(): void {
    ignoreMissing(() => this.#spool.fileSystem.unlink(this.path));
  }

  #moveTo(target: string): void {
    ignoreMissing(() => this.#spool.fileSystem.rename(this.path, target));
  }

  #keepLink(letter: string): void {
    if (this.#total > 1 || isOwnFile(this.#name.file)) return this.#removeFile();
    this.#moveTo(this.#directories.dead.atOwn(`${letter}.link`));
  }

  /** One small write(2) to the page cache, which survives the death of this process. */
  #note(text: string): void {
    if (this.#total === 1) return;
    const { fileSystem } = this.#spool;
    this.#progressFd ??= fileSystem.open(
      progressPath(this.path),
      O_CREAT | O_WRONLY | O_APPEND | O_NOFOLLOW,
      PRIVATE_FILE_MODE,
    );
    const bytes = Buffer.from(text);
    fileSystem.write(this.#progressFd, bytes, 0, bytes.length, null);
  }

  /** After the file itself is gone: the other way round, a crash would bring everything back. */
  #closeProgress(): void {
    if (this.#progressFd === undefined) return;
    this.#spool.fileSystem.close(this.#progressFd);
    this.#progressFd = undefined;
    ignoreMissing(() => this.#spool.fileSystem.unlink(progressPath(this.path)));
  }
}

export const PROGRESS_SUFFIX = ".progress";

function progressPath(claimPath: string): string {
  return `${claimPath}${PROGRESS_SUFFIX}`;
}

/** What a consumer that died left in a progress file. */
export function parseProgress(text: string): {
  readonly begun: ReadonlySet<number>;
  readonly settled: ReadonlySet<number>;
} {
  const begun = new Set<number>();
  const settled = new Set<number>();
  for (const [, kind, index] of text.matchAll(/^([sd])(\d+)$/gm)) (kind === "s" ? begun : settled).add(Number(index));
  return { begun, settled };
}
