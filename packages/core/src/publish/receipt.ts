import fs from "node:fs";
import { ignoreMissing } from "../directory.js";
import { BusError, errnoOf, fromErrno } from "../errors.js";
import type { FileSystem } from "../file-system.js";
import { MAX_TIMER_MS, requireInteger } from "../options.js";

/** Looked at anew after this long even without an event, in milliseconds. */
const LOOK_AGAIN_MS = 500;

export interface AckedOptions {
  /** @default forever */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Tells the publisher when everybody is done with a message.
 *
 * The publisher keeps its own link to the message file, so the file's link count is the number of subscriptions that still hold
 * it, plus one. A message that a subscriber gave up stays linked from its `dead/`, and thus never counts as acknowledged.
 */
export class Receipt {
  readonly #fileSystem: FileSystem;
  readonly #paths: string[];
  readonly #subscriptions: number;
  readonly #expiresAt: number;

  constructor(fileSystem: FileSystem, paths: readonly string[], subscriptions: number, expirytime: string | undefined) {
    this.#fileSystem = fileSystem;
    this.#paths = [...paths];
    this.#subscriptions = subscriptions;
    this.#expiresAt = expirytime === undefined ? Infinity : Date.parse(expirytime);
  }

  /** How many subscriptions still hold the message: waiting, in work, to be tried again, or given up. */
  pending(): number {
    let links = 0;
    for (const path of this.#paths) {
      try {
        links += this.#fileSystem.stat(path).nlink - 1;
      } catch (error) {
        if (errnoOf(error) !== "ENOENT") throw fromErrno(error, "look at", path);
        throw new BusError("ERR_CLOSED", `the receipt ${path} was closed or removed`, { path });
      }
    }
    return links;
  }

  /**
   * Resolves once every subscription that stored the message has acknowledged it.
   * @throws BusError ERR_NO_SUBSCRIPTION when nobody stored it, ERR_EXPIRED when it ran out first, ERR_TIMEOUT, ERR_CLOSED;
   * the signal's reason
   */
  async acked(options: AckedOptions = {}): Promise<void> {
    requireInteger("timeoutMs", options.timeoutMs, 1, MAX_TIMER_MS);
    if (this.#subscriptions === 0) {
      throw new BusError("ERR_NO_SUBSCRIPTION", "nobody can acknowledge a message that no subscription stored", {
        fix: "publish with { mandatory: true } to make that an error at once",
      });
    }
    await this.#untilReleased(options);
    // An expired message is removed as if it had been read, and the link count cannot tell the two apart.
    if (Date.now() >= this.#expiresAt) {
      throw new BusError("ERR_EXPIRED", "the message expired, so whether everybody handled it is unknown");
    }
    this.close();
  }

  /** Lets go of the publisher's link; the message itself stays with its subscribers. */
  close(): void {
    for (const path of this.#paths) {
      try {
        ignoreMissing(() => this.#fileSystem.unlink(path));
      } catch {
        // Swept when this process is gone.
      }
    }
  }

  async #untilReleased({ timeoutMs, signal }: AckedOptions): Promise<void> {
    signal?.throwIfAborted();
    const deadline = performance.now() + (timeoutMs ?? Infinity);
    while (this.pending() > 0) {
      const left = deadline - performance.now();
      if (left <= 0) {
        throw new BusError(
          "ERR_TIMEOUT",
          `${this.pending()} of ${this.#subscriptions} subscriptions have not acknowledged after ${timeoutMs} ms`,
        );
      }
      await this.#change(Math.min(left, LOOK_AGAIN_MS), signal);
    }
  }

  /** Waits for the link count to change (inotify reports that as a change of attributes), for a while, or for the signal. */
  #change(maxMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const watchers: fs.FSWatcher[] = [];
      const finish = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", finish);
        for (const watcher of watchers) watcher.close();
        if (signal?.aborted) reject(signal.reason as Error);
        else resolve();
      };
      const timer = setTimeout(finish, maxMs);
      signal?.addEventListener("abort", finish);
      for (const path of this.#paths) {
        try {
          watchers.push(fs.watch(path, finish).on("error", finish));
        } catch {
          // Gone, or no watch left: the timer looks again.
        }
      }
      // The last acknowledgement may have come between the look and the watch.
      try {
        if (this.pending() === 0) finish();
      } catch {
        finish();
      }
    });
  }
}
