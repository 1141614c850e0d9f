import type { DeadReason } from "../deliver/refusal.js";
import { PRIVATE_FILE_MODE, READABLE_FILE_MODE } from "../permissions.js";
import { writeOwnFile } from "../private-file.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";

/** Refused files that one subscription keeps for inspection; a neighbour who sends junk must not fill our quota. */
const MAX_REFUSED = 1_000;
/** Of a detail, which may be what somebody else's handler or file said. In characters. */
const MAX_DETAIL = 4_000;

export const REASON_SUFFIX = ".reason.json";
/** The sender's file. */
export const LINK_SUFFIX = ".link";
/** What was read of it. */
export const COPY_SUFFIX = ".json";

/** `dead/<letter>.reason.json`, as `schemas/reason.schema.json` describes it. */
export interface DeadLetterRecord {
  readonly layout: 1;
  readonly reason: DeadReason;
  readonly detail: string;
  /** RFC 3339. */
  readonly at: string;
  readonly attempts: number;
  readonly id: string | null;
  readonly topic: string | null;
  readonly sender: { readonly uid: number; readonly user: string | null } | null;
  /** The file's name as it arrived, printable. */
  readonly file: string;
  readonly bytes: number | null;
}

/**
 * What was given up, kept so that a person can look at it and try it again:
 *
 * - `<letter>.json`: a copy of what was read (its sender may still change the original);
 * - `<letter>.reason.json`: why; the letter exists as soon as this file does;
 * - `<letter>.link`: the sender's file, so that a receipt does not take the letter for acknowledged.
 */
export class DeadLetters {
  readonly #spool: Spool;
  readonly #directories: SubscriptionDirectories;
  #refused: number | undefined;

  constructor(spool: Spool, directories: SubscriptionDirectories) {
    this.#spool = spool;
    this.#directories = directories;
  }

  /** @param text a copy of the envelope, when there is one @throws the system's error */
  bury(letter: string, record: Omit<DeadLetterRecord, "layout" | "at">, text: string | undefined): void {
    const { dead, record: subscription } = this.#directories;
    const mode = subscription.kind === "queue" ? READABLE_FILE_MODE : PRIVATE_FILE_MODE;
    if (text !== undefined) writeOwnFile(this.#spool, dead, `${letter}${COPY_SUFFIX}`, text, mode);
    const detail = record.detail.slice(0, MAX_DETAIL);
    const full: DeadLetterRecord = { layout: 1, ...record, detail, at: new Date().toISOString() };
    writeOwnFile(this.#spool, dead, `${letter}${REASON_SUFFIX}`, `${JSON.stringify(full)}\n`, mode);
  }

  /** Whether one more refused file may be kept. */
  hasRoomForRefused(): boolean {
    this.#refused ??= this.#spool.fileSystem
      .readdir(this.#directories.dead.base)
      .filter((name) => name.endsWith(REASON_SUFFIX)).length;
    return this.#refused++ < MAX_REFUSED;
  }

  /** The name that a message file's letter has. */
  static letterOf(file: string): string {
    return file.replace(/\.(?:jsonl?|own)$/, "");
  }
}
