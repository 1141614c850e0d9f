import type { Directory } from "../directory.js";
import { errnoOf, fromErrno } from "../errors.js";
import { closeQuietly } from "../file-system.js";
import type { Spool } from "../spool.js";
import { addToTally, hasTally, TALLY } from "../tally.js";
import type { Backlog } from "./backlog.js";
import type { Draft, Drafts } from "./drafts.js";
import { isGone, type Target } from "./target.js";

export type SyncLevel = "none" | "data" | "full";

/** Who has a message, who has not, and why. */
export interface Delivery {
  readonly stored: readonly Target[];
  /** Removed between the lookup and the link, or shut by its owner: no publisher's fault, and no failure of the publish. */
  readonly gone: readonly Target[];
  readonly failed: readonly Failure[];
}

interface Failure {
  readonly target: Target;
  readonly error: unknown;
}

/** The steps that turn bytes into links; each is complete before the next starts. */
export class FanOut {
  constructor(
    private readonly spool: Spool,
    private readonly drafts: Drafts,
    private readonly backlog: Backlog,
  ) {}

  /**
   * Links a draft into every drop box. `link(2)` is the commit point: before it no reader can see the message, after it every
   * reader may, and it refuses to replace, so a name that is there already is a delivery made before. What one subscription
   * refuses does not keep the message from the others.
   */
  link(draft: Draft, fileName: string, targets: readonly Target[]): Delivery {
    const delivery = { stored: [] as Target[], gone: [] as Target[], failed: [] as Failure[] };
    for (const target of targets) {
      try {
        this.#linkInto(target, draft, fileName);
        this.backlog.noteAdded(target);
        delivery.stored.push(target);
      } catch (error) {
        if (isGone(error) && this.#isThere(draft)) delivery.gone.push(target);
        else if (errnoOf(error) === "EACCES" && takesNothing(target)) delivery.gone.push(target);
        else delivery.failed.push({ target, error: fromErrno(error, `deliver to ${target.label}`) });
      }
    }
    return delivery;
  }

  /**
   * Puts a written draft on the disk, so that no power cut can leave a link to an empty file: ext4 may write the directory first.
   */
  async syncData(draft: Draft): Promise<void> {
    try {
      await this.spool.fileSystem.fdatasync(draft.fd);
    } catch (error) {
      throw fromErrno(error, "write to the disk", this.spool.outboxDir);
    }
  }

  /**
   * Puts the links on the disk. fsync(2) of the file commits the journal that holds its new link count, and with it the entries
   * (ext4, XFS, btrfs); drop boxes that may be opened for reading are synced as well, as POSIX asks.
   */
  async syncLinks(draft: Draft, stored: readonly Target[]): Promise<void> {
    try {
      await this.spool.fileSystem.fsync(draft.fd);
      for (const target of stored) await this.#syncDirectory(target);
    } catch (error) {
      throw fromErrno(error, "write to the disk", this.spool.outboxDir);
    }
  }

  #linkInto(target: Target, draft: Draft, fileName: string): void {
    if (hasTally(this.spool, target)) this.#count(target, fileName);
    const { fileSystem } = this.spool;
    try {
      fileSystem.link(draft.path, target.dropBox().atOwn(fileName));
    } catch (error) {
      if (errnoOf(error) === "EEXIST") return;
      // The pinned drop box may be one that was removed and made anew since: look once more.
      if (!isGone(error)) throw error;
      target.unpin();
      fileSystem.link(draft.path, target.dropBox().atOwn(fileName));
    }
  }

  /** ENOENT may also mean that somebody emptied the outbox under us; then the subscription is not to blame. */
  #isThere(draft: Draft): boolean {
    try {
      this.spool.fileSystem.lstat(draft.path);
      return true;
    } catch {
      return false;
    }
  }

  #count(target: Target, fileName: string): void {
    let tally: Directory;
    try {
      tally = target.openDirectory(TALLY);
    } catch {
      // An inbox made by hand without one is not counted.
      return;
    }
    try {
      addToTally(this.spool, tally, fileName);
    } catch {
      // Not counted; whether the message itself can be stored is for its own link to say.
    } finally {
      tally.close();
    }
  }

  async #syncDirectory(target: Target): Promise<void> {
    const { fileSystem } = this.spool;
    let fd: number;
    try {
      fd = fileSystem.open(target.dropBox().base, 0);
    } catch (error) {
      // An inbox cannot be opened for reading.
      if (errnoOf(error) === "EACCES") return;
      throw error;
    }
    try {
      await fileSystem.fsync(fd);
    } finally {
      closeQuietly(fileSystem, fd);
    }
  }
}

/** A direct message that its only receiver does not take is a failure all the same. */
function takesNothing(target: Target): boolean {
  return target.record.address === undefined && target.isShut();
}
