import fs from "node:fs";
import { atExit } from "../at-exit.js";
import { fromErrno } from "../errors.js";
import { closeQuietly, writeAll } from "../file-system.js";
import { ignoreMissing } from "../directory.js";
import { MESSAGE_MODE } from "../permissions.js";
import type { Spool } from "../spool.js";

const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = fs.constants;
/** Blanks kept ready by a bus that publishes more than once. */
const MAX_BLANKS = 8;
/** Used drafts that may wait to be removed. */
const MAX_USED = 16;
/**
 * How long after a publish the outbox is tidied, in milliseconds. Not at once: the subscriber that the link has just woken may be
 * waiting for this very processor.
 */
const TIDY_AFTER_MS = 2;

/** A file in `outbox/`, open for writing and not yet anybody's message. */
export interface Draft {
  readonly fd: number;
  readonly path: string;
}

/**
 * Makes drafts, and keeps a few blank ones ready, since creating a file costs more than everything else in a publish.
 *
 * A draft is invisible: nobody else can enter the outbox. A crash leaves it there, named after its process, until `sweep()` finds
 * that process gone.
 */
export class Drafts {
  readonly #spool: Spool;
  #blanks: Draft[] = [];
  /** Linked elsewhere, and still in the outbox too. */
  #used: Draft[] = [];
  /** Paths of drafts whose removal failed. */
  readonly #unremoved: string[] = [];
  #taken = 0;
  #tidying: NodeJS.Timeout | undefined;
  #isClosed = false;
  #cancelAtExit: (() => void) | undefined;

  constructor(spool: Spool) {
    this.#spool = spool;
  }

  /** @throws BusError ERR_DISK_FULL, ERR_TOO_MANY_FILES, ERR_ACCESS, ERR_IO */
  write(bytes: Uint8Array): Draft {
    const draft = this.#blanks.pop() ?? this.#create();
    this.#taken++;
    try {
      writeAll(this.#spool.fileSystem, draft.fd, bytes);
    } catch (error) {
      this.discard(draft);
      throw fromErrno(error, "write a message in", this.#spool.outboxDir);
    }
    return draft;
  }

  /** Removes a draft that is linked elsewhere, in a while. */
  release(draft: Draft): void {
    // A process that publishes once has nothing better to do.
    if (this.#isClosed || this.#taken === 1 || this.#used.length >= MAX_USED) return this.discard(draft);
    this.#used.push(draft);
    this.#cancelAtExit ??= atExit(() => this.close());
    this.#tidying ??= setTimeout(() => this.#tidy(), TIDY_AFTER_MS).unref();
  }

  /** Gives a draft up. Never throws: what became of the message is decided elsewhere. */
  discard({ fd, path }: Draft): void {
    closeQuietly(this.#spool.fileSystem, fd);
    this.#remove(path);
  }

  /** Keeps the outbox's own link under another name, as a receipt; its descriptor is closed. @returns its path */
  keep({ fd, path }: Draft, name: string): string {
    const { fileSystem, outboxDir } = this.#spool;
    closeQuietly(fileSystem, fd);
    const kept = `${outboxDir}/${name}`;
    try {
      fileSystem.rename(path, kept);
      return kept;
    } catch {
      // The name is for people; the link itself is what counts.
      return path;
    }
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#tidying);
    for (const draft of [...this.#used.splice(0), ...this.#blanks.splice(0)]) this.discard(draft);
    for (const path of this.#unremoved.splice(0)) this.#remove(path);
    this.#cancelAtExit?.();
  }

  #remove(path: string): void {
    try {
      ignoreMissing(() => this.#spool.fileSystem.unlink(path));
    } catch {
      // Tried once more when the bus closes, and swept when this process is gone.
      if (!this.#isClosed) this.#unremoved.push(path);
    }
  }

  #tidy(): void {
    this.#tidying = undefined;
    try {
      for (const draft of this.#used.splice(0)) this.discard(draft);
      while (this.#blanks.length < MAX_BLANKS) this.#blanks.push(this.#create());
    } catch {
      // The publish that needs one reports what is wrong.
    }
  }

  #create(): Draft {
    const { fileSystem, outboxDir, names } = this.#spool;
    const path = `${outboxDir}/.${process.pid}-${names.random(16)}.draft`;
    let fd: number;
    try {
      // O_EXCL: never opens what is there, so fs.protected_regular has nothing to refuse.
      fd = fileSystem.open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, MESSAGE_MODE);
    } catch (error) {
      throw fromErrno(error, "create a message in", outboxDir);
    }
    try {
      // open(2) obeys the umask, so 0640 may have become 0600 and shut the receivers out.
      fileSystem.fchmod(fd, MESSAGE_MODE);
    } catch (error) {
      this.discard({ fd, path });
      throw fromErrno(error, "set the mode of a message in", outboxDir);
    }
    return { fd, path };
  }
}
