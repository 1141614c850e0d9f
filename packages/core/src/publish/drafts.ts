import fs from "node:fs";
import { atExit } from "../at-exit.js";
import { fromErrno } from "../errors.js";
import { writeAll } from "../file-system.js";
import { ignoreMissing } from "../directory.js";
import { MESSAGE_MODE } from "../permissions.js";
import type { Spool } from "../spool.js";

const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = fs.constants;
/** Blanks kept ready by a bus that publishes more than once. */
const MAX_BLANKS = 4;

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
  #taken = 0;
  #refill: NodeJS.Immediate | undefined;
  #isClosed = false;
  #cancelAtExit: (() => void) | undefined;

  constructor(spool: Spool) {
    this.#spool = spool;
  }

  /** @throws BusError ERR_DISK_FULL, ERR_TOO_MANY_FILES, ERR_ACCESS, ERR_IO */
  write(bytes: Uint8Array): Draft {
    const draft = this.#blanks.pop() ?? this.#create();
    // A process that publishes once gains nothing from blanks.
    if (this.#taken++ > 0) this.#refillSoon();
    try {
      writeAll(this.#spool.fileSystem, draft.fd, bytes);
    } catch (error) {
      this.discard(draft);
      throw fromErrno(error, "write a message in", this.#spool.outboxDir);
    }
    return draft;
  }

  /** Gives the draft up, or takes its name from the outbox once it is linked elsewhere. */
  discard({ fd, path }: Draft): void {
    this.#spool.fileSystem.close(fd);
    ignoreMissing(() => this.#spool.fileSystem.unlink(path));
  }

  /** Keeps the outbox's own link under another name, as a receipt; its descriptor is closed. @returns its path */
  keep({ fd, path }: Draft, name: string): string {
    const { fileSystem, outboxDir } = this.#spool;
    fileSystem.close(fd);
    const kept = `${outboxDir}/${name}`;
    fileSystem.rename(path, kept);
    return kept;
  }

  close(): void {
    this.#isClosed = true;
    if (this.#refill !== undefined) clearImmediate(this.#refill);
    for (const blank of this.#blanks.splice(0)) this.discard(blank);
    this.#cancelAtExit?.();
  }

  #refillSoon(): void {
    if (this.#isClosed || this.#refill !== undefined || this.#blanks.length >= MAX_BLANKS) return;
    this.#cancelAtExit ??= atExit(() => this.close());
    this.#refill = setImmediate(() => {
      this.#refill = undefined;
      try {
        if (!this.#isClosed && this.#blanks.length < MAX_BLANKS) this.#blanks.push(this.#create());
      } catch {
        // No blank now; the publish that needs one creates it and reports what is wrong.
        return;
      }
      this.#refillSoon();
    });
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
