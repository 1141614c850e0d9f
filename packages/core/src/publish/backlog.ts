import { errnoOf } from "../errors.js";
import { beforeReading, isProof } from "../freshness.js";
import { isMessageFile } from "../message-name.js";
import type { Spool } from "../spool.js";
import { hasTally, isTallyEntry, TALLY } from "../tally.js";
import { isGone, type Target } from "./target.js";

/** A count is reused at least this long, in milliseconds … */
const COUNT_FOR_MS = 250;
/** … and this many times as long as counting took, so that a large backlog costs its publishers at most 1 % of their time. */
const COUNT_SHARE = 100;

interface Count {
  /** No more than the limit at which counting stopped. */
  readonly files: number;
  /** What the directory's change time is as long as nothing has come or gone; undefined when it proves nothing. */
  readonly changeTimeMs: number | undefined;
  /** By performance.now(). */
  readonly validUntil: number;
  /** Files that this publisher added since. */
  added: number;
}

/**
 * How many files wait in a subscription.
 *
 * Counting lists a directory, so a count is reused while the limit is far, and as long as the directory has not changed: a
 * subscription that is full because nobody reads it is counted once. Near the limit every publish counts; several publishers
 * that count at once may together overshoot by one file each.
 */
export class Backlog {
  readonly #spool: Spool;
  readonly #counts = new WeakMap<Target, Count>();

  constructor(spool: Spool) {
    this.#spool = spool;
  }

  limitOf(target: Target): number {
    return target.record.maxBacklog ?? this.#spool.limits.maxBacklog;
  }

  /** False when the subscription holds as many files as it allows. */
  hasRoom(target: Target): boolean {
    // Whoever awaits an answer reads it at once, and is gone when the process is.
    if (target.record.kind === "reply") return true;
    const limit = this.limitOf(target);
    let count = this.#counts.get(target);
    if (count === undefined || isOld(count, limit)) {
      count = this.#count(target, limit, count);
      this.#counts.set(target, count);
    }
    return count.files + count.added < limit;
  }

  noteAdded(target: Target): void {
    const count = this.#counts.get(target);
    if (count !== undefined) count.added++;
  }

  #count(target: Target, limit: number, before: Count | undefined): Count {
    const began = performance.now();
    const { files, changeTimeMs } = this.#look(target, limit, before);
    const now = performance.now();
    return { files, changeTimeMs, validUntil: now + Math.max(COUNT_FOR_MS, COUNT_SHARE * (now - began)), added: 0 };
  }

  #look(target: Target, limit: number, before: Count | undefined): Pick<Count, "files" | "changeTimeMs"> {
    try {
      const isTallied = hasTally(this.#spool, target);
      const directory = target.openDirectory(isTallied ? TALLY : "new");
      try {
        const began = beforeReading();
        const changeTimeMs = this.#spool.fileSystem.changeTimeMs(directory.base);
        if (changeTimeMs === before?.changeTimeMs) return before;
        // What cannot be a message, such as directories that nobody but a neighbour can remove, does not make a drop box full.
        const files = this.#countUpTo(limit, directory.base, isTallied ? isTallyEntry : isMessageFile);
        return { files, changeTimeMs: isProof(changeTimeMs, began) ? changeTimeMs : undefined };
      } finally {
        directory.close();
      }
    } catch (error) {
      // Gone, or an inbox that somebody made by hand without a tally: nothing to go by.
      if (isGone(error) || errnoOf(error) === "EACCES") return { files: 0, changeTimeMs: undefined };
      throw error;
    }
  }

  #countUpTo(limit: number, dir: string, isCounted: (name: string) => boolean): number {
    let files = 0;
    for (const names of this.#spool.fileSystem.readdirInPortions(dir)) {
      files += names.filter(isCounted).length;
      if (files >= limit) return limit;
    }
    return files;
  }
}

function isOld(count: Count, limit: number): boolean {
  return performance.now() > count.validUntil || count.added >= (limit - count.files) / 4;
}
