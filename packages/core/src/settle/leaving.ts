import { parseEnvelope } from "../deliver/load.js";
import { ignoreMissing, type Directory } from "../directory.js";
import { PRIVATE_FILE_MODE } from "../permissions.js";
import { writeOwnFile } from "../private-file.js";
import type { Spool } from "../spool.js";
import type { ClaimedEnvelope } from "./claim.js";
import { hiddenOwnFile, ownFile, parseHiddenOwnFile, retryName } from "./claim-names.js";

/**
 * The envelopes of one claimed file that leave it for `retry/` while others of it are still in work: each as a private record of its own.
 *
 * A record is written whole under a hidden name, then it is noted that the file is done with the envelope, then the record
 * appears: at no moment is it in both places for somebody else to take.
 */
export class Leaving {
  readonly #spool: Spool;
  readonly #retry: Directory;
  readonly #file: string;
  /** The names of their records, in `retry/`. */
  readonly #names = new Map<number, string>();

  /** @param file the claimed file's own name */
  constructor(spool: Spool, retry: Directory, file: string) {
    this.#spool = spool;
    this.#retry = retry;
    this.#file = file;
  }

  get size(): number {
    return this.#names.size;
  }

  has(index: number): boolean {
    return this.#names.has(index);
  }

  /**
   * Says that one leaves. Tried again after a failure, it goes under the name that it had: a record of its own would stay hidden for ever.
   * @param attempts that it has had
   */
  add(index: number, dueMs: number, attempts: number): void {
    if (!this.has(index)) this.#names.set(index, retryName({ dueMs, attempts, file: ownFile(this.#file, index) }));
  }

  /** Writes its record, which stays hidden. @throws the system's error */
  write({ index, sender, raw }: ClaimedEnvelope): void {
    const record = `${JSON.stringify({ sender, envelope: parseEnvelope(raw) })}\n`;
    writeOwnFile(this.#spool, this.#retry, hiddenOwnFile(this.#nameOf(index)), record, PRIVATE_FILE_MODE);
  }

  /** Lets its record appear. @throws the system's error */
  show(index: number): void {
    const name = this.#nameOf(index);
    ignoreMissing(() => this.#spool.fileSystem.rename(this.#retry.atOwn(hiddenOwnFile(name)), this.#retry.atOwn(name)));
    this.#names.delete(index);
  }

  /** One that was about to leave, and could not, stays with the file after all. @throws the system's error */
  stay(index: number): void {
    if (!this.has(index)) return;
    ignoreMissing(() => this.#spool.fileSystem.unlink(this.#retry.atOwn(hiddenOwnFile(this.#nameOf(index)))));
    this.#names.delete(index);
  }

  /**
   * Ends what a consumer before us began: records of envelopes that have left appear, others are as if they had never been.
   * @throws the system's error
   */
  finish(isSettled: (index: number) => boolean): void {
    const { fileSystem } = this.#spool;
    for (const entry of fileSystem.readdir(this.#retry.base)) {
      const hidden = parseHiddenOwnFile(entry, this.#file);
      if (hidden === undefined) continue;
      const path = this.#retry.atOwn(entry);
      ignoreMissing(() =>
        isSettled(hidden.index) ? fileSystem.rename(path, this.#retry.atOwn(hidden.name)) : fileSystem.unlink(path),
      );
    }
  }

  #nameOf(index: number): string {
    return this.#names.get(index) as string;
  }
}
