import { fromErrno } from "../errors.js";
import type { Backlog } from "./backlog.js";
import type { Committed, Committer } from "./committer.js";
import type { Outcome, Parcel } from "./parcel.js";
import { RoomQueue } from "./room-queue.js";
import type { SubscriptionIndex } from "./subscription-index.js";

interface LateOutcome {
  readonly stored: string[];
  readonly full: string[];
  readonly failed: { readonly label: string; readonly error: unknown }[];
  readonly keptPaths: string[];
}

/** Delivers to subscriptions that were full, as soon as they have room. */
export class LateDelivery {
  readonly #roomQueue = new RoomQueue();

  constructor(
    private readonly index: SubscriptionIndex,
    private readonly backlog: Backlog,
    private readonly committer: Committer,
  ) {}

  /** Whether a publish to this subscription has to line up. */
  isAwaitedBy(label: string): boolean {
    return this.#roomQueue.isWaiting(label);
  }

  /**
   * Delivers to each full subscription as soon as it has room; what is still full when the time is up stays in `full`.
   * @throws what aborts the wait
   */
  async waitForRoom(parcel: Parcel, soFar: Outcome, closing: AbortSignal): Promise<Outcome> {
    const timeUp = new AbortController();
    const timer = setTimeout(() => timeUp.abort(), parcel.timeoutMs);
    const signal = AbortSignal.any([
      ...[timeUp.signal, closing],
      ...(parcel.signal === undefined ? [] : [parcel.signal]),
    ]);
    const { stored, failed, keptPaths, full } = soFar;
    const outcome: LateOutcome = { stored: [...stored], full: [], failed: [...failed], keptPaths: [...keptPaths] };
    const waits = full.map(async (label) => {
      try {
        await this.#roomQueue.wait(label, () => this.#deliver(parcel, label, outcome), signal);
      } catch (error) {
        if (!timeUp.signal.aborted) throw error;
        outcome.full.push(label);
      }
    });
    try {
      await Promise.all(waits);
      return outcome;
    } catch (error) {
      for (const path of outcome.keptPaths) this.committer.forget(path);
      throw error;
    } finally {
      clearTimeout(timer);
      // One failure ends the waits of the others.
      timeUp.abort();
    }
  }

  /** @returns whether the wait is over: delivered, or failed, or the subscription is gone */
  #deliver(parcel: Parcel, label: string, outcome: LateOutcome): boolean | Promise<boolean> {
    const fail = (error: unknown) => {
      outcome.failed.push({ label, error: fromErrno(error, `deliver to ${label}`) });
      return true;
    };
    const note = (committed: Committed) => {
      if (committed.stored.length > 0) outcome.stored.push(label);
      if (committed.keptPath !== undefined) outcome.keptPaths.push(committed.keptPath);
      for (const { error } of committed.failed) fail(error);
      return true;
    };
    try {
      // Owners that only the account database knows come later.
      void Promise.resolve(this.index.refresh()).catch(() => undefined);
      const target = this.index.all().find((candidate) => candidate.label === label);
      if (target === undefined || !target.isListening()) return true;
      if (!this.backlog.hasRoom(target)) return false;
      const committed = this.committer.commit(parcel, parcel.text, 1, [target]);
      return committed instanceof Promise ? committed.then(note, fail) : note(committed);
    } catch (error) {
      return fail(error);
    }
  }
}
