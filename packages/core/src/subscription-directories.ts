import { Directory } from "./directory.js";
import { BusError, errnoOf } from "./errors.js";
import type { Spool } from "./spool.js";
import { labelOf, SUBSCRIPTION_FILE, type SubscriptionRecord } from "./subscription-record.js";
import { hasTally, TALLY } from "./tally.js";

/**
 * A subscription as its receiver holds it: its directories, pinned, because in a queue any member could swap one for a link
 * into the consumer's own files.
 */
export class SubscriptionDirectories {
  readonly label: string;
  readonly path: string;
  readonly top: Directory;
  /** Where messages arrive. */
  readonly new: Directory;
  /** Claimed by a consumer. */
  readonly cur: Directory;
  /** Waiting for another attempt. */
  readonly retry: Directory;
  /** Given up, with the reason. */
  readonly dead: Directory;
  /** An inbox's tally; undefined elsewhere. */
  readonly tallyDir: string | undefined;
  readonly #opened: Directory[] = [];
  readonly #spool: Spool;

  /** @throws the system's error; ENOENT when the subscription is not there */
  constructor(
    spool: Spool,
    parentDir: string,
    directoryName: string,
    readonly record: SubscriptionRecord,
  ) {
    this.#spool = spool;
    this.label = labelOf(record);
    this.path = `${parentDir}/${directoryName}`;
    this.tallyDir = hasTally(spool, { record }) ? `${this.path}/${TALLY}` : undefined;
    try {
      this.top = this.#open(parentDir, directoryName);
      this.new = this.#open(this.top, "new");
      this.cur = this.#open(this.top, "cur");
      this.retry = this.#open(this.top, "retry");
      this.dead = this.#open(this.top, "dead");
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * False once the subscription or a part of it was removed, or removed and made anew, under its consumer; true while nobody can
   * tell.
   */
  isInPlace(): boolean {
    const parts = [this.new, this.cur, this.retry, this.dead];
    const { fileSystem } = this.#spool;
    try {
      // Without its record it is nobody's subscription, and gets nothing.
      fileSystem.lstat(`${this.path}/${SUBSCRIPTION_FILE}`);
      return parts.every(({ path, ino }) => fileSystem.lstat(path).ino === ino);
    } catch (error) {
      return errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR";
    }
  }

  /** What to say when it is not in place. */
  removed(cause?: unknown): BusError {
    const { path, label } = this;
    const text = `the subscription ${label} was removed while it was consumed`;
    return new BusError("ERR_NOT_FOUND", text, { path, cause, fix: "subscribe again" });
  }

  close(): void {
    for (const directory of this.#opened.splice(0)) directory.close();
  }

  #open(parent: Directory | string, name: string): Directory {
    const directory = Directory.open(this.#spool.fileSystem, parent, name);
    this.#opened.push(directory);
    return directory;
  }
}
