import { errnoOf, fromErrno } from "../errors.js";
import type { Spool } from "../spool.js";
import { whenReady } from "../when-ready.js";
import type { Backlog } from "./backlog.js";
import type { Committed, Committer } from "./committer.js";
import type { LateDelivery } from "./late-delivery.js";
import { goneAddress, nobody, NOBODY, type Outcome, type Parcel } from "./parcel.js";
import { sharersFrom } from "./shared-file.js";
import type { SubscriptionIndex } from "./subscription-index.js";
import type { Target } from "./target.js";
import type { Waiting } from "./tick-queue.js";

interface Delivered {
  readonly committed: Committed;
  /** They have no room. */
  readonly full: readonly Target[];
}

export interface DispatchParts {
  readonly index: SubscriptionIndex;
  readonly backlog: Backlog;
  readonly committer: Committer;
  readonly late: LateDelivery;
  /** Ends the wait for room. */
  readonly closing: AbortSignal;
  /** From now on nothing may overtake what waits for room. */
  readonly onWait: () => void;
}

/** Finds out who gets a parcel, has it committed to those who have room, and tells what became of it. */
export class Dispatch {
  readonly #spool: Spool;
  readonly #index: SubscriptionIndex;
  readonly #parts: DispatchParts;

  constructor(spool: Spool, parts: DispatchParts) {
    this.#spool = spool;
    this.#index = parts.index;
    this.#parts = parts;
  }

  /** Looks at the subscriptions. @returns a promise when the account database has to be asked @throws BusError */
  refresh(): void | Promise<void> {
    try {
      return this.#index.refresh();
    } catch (error) {
      throw fromErrno(error, "look up subscriptions in", this.#spool.path);
    }
  }

  /** @throws BusError, or the signal's own reason */
  lookUp(parcel: Parcel): readonly Target[] {
    parcel.signal?.throwIfAborted();
    try {
      const targets = this.#index.targetsOf(parcel.to, parcel.topic);
      if (targets.length === 0 && parcel.isMandatory) throw nobody(parcel.topic);
      return targets;
    } catch (error) {
      throw errnoOf(error) === undefined ? error : fromErrno(error, "look up subscriptions in", this.#spool.path);
    }
  }

  /** Those that hold as many messages as they allow, or have somebody line up for room. */
  fullOf(targets: readonly Target[]): readonly Target[] {
    const { late, backlog } = this.#parts;
    let full: readonly Target[] = NONE;
    for (const target of targets) {
      if (late.isAwaitedBy(target.label) || !backlog.hasRoom(target)) full = [...full, target];
    }
    return full;
  }

  /** Commits one parcel. @param targets which `lookUp` found @throws BusError */
  send(parcel: Parcel, targets: readonly Target[]): Outcome | Promise<Outcome> {
    if (targets.length === 0) return NOBODY;
    return whenReady(this.#deliver([parcel], targets), (delivered) => this.#outcomeOf(parcel, delivered));
  }

  /** Commits parcels that were all handed in before this look at the subscriptions, in their order. */
  settleAll(waiting: readonly Waiting[]): void | Promise<void> {
    const fail = (error: unknown) => {
      for (const { reject } of waiting) reject(error);
    };
    try {
      const identifying = this.refresh();
      if (identifying !== undefined) return identifying.then(() => this.#settleFrom(waiting, 0), fail);
    } catch (error) {
      return fail(error);
    }
    return this.#settleFrom(waiting, 0);
  }

  #settleFrom(waiting: readonly Waiting[], start: number): void | Promise<void> {
    for (let next = start; next < waiting.length;) {
      const first = waiting[next] as Waiting;
      try {
        const targets = this.lookUp(first.parcel);
        const group = sharersFrom(waiting, next, targets, this.#spool.limits.maxEnvelopeBytes);
        next += group.length;
        const committing = this.#settle(group, targets);
        if (committing !== undefined) return committing.then(() => this.#settleFrom(waiting, next));
      } catch (error) {
        next++;
        first.reject(error);
      }
    }
  }

  /** Never throws: what fails is told to those who wait. */
  #settle(group: readonly Waiting[], targets: readonly Target[]): void | Promise<void> {
    if (targets.length === 0) return void group.forEach(({ resolve }) => resolve(NOBODY));
    const tell = (delivered: Delivered) => {
      for (const { parcel, resolve, reject } of group) {
        try {
          resolve(this.#outcomeOf(parcel, delivered));
        } catch (failure) {
          reject(failure);
        }
      }
    };
    const fail = (failure: unknown) => {
      for (const { reject } of group) reject(failure);
    };
    try {
      const parcels = group.map(({ parcel }) => parcel);
      const delivering = this.#deliver(parcels, targets);
      if (delivering instanceof Promise) return delivering.then(tell, fail);
      tell(delivering);
    } catch (failure) {
      fail(failure);
    }
  }

  /** Commits parcels that share a file to those of their targets that have room. @throws BusError */
  #deliver(parcels: readonly Parcel[], targets: readonly Target[]): Delivered | Promise<Delivered> {
    const [first] = parcels as [Parcel];
    try {
      const full = this.fullOf(targets);
      const roomy = full.length === 0 ? targets : targets.filter((target) => !full.includes(target));
      const text = parcels.length === 1 ? first.text : parcels.map((parcel) => parcel.text).join("");
      const committing = this.#parts.committer.commit(first, text, parcels.length, roomy);
      return whenReady(committing, (committed) => ({ committed, full }));
    } catch (error) {
      throw fromErrno(error, "publish");
    }
  }

  /** What to tell about one of the parcels that were delivered together. @throws BusError */
  #outcomeOf(parcel: Parcel, { committed, full }: Delivered): Outcome | Promise<Outcome> {
    const { stored, gone, failed, keptPath } = committed;
    if (gone.length > 0) {
      this.#index.forget();
      if (parcel.to !== undefined) throw goneAddress(parcel.to);
      if (parcel.isMandatory && stored.length + full.length + failed.length === 0) throw nobody(parcel.topic);
    }
    const outcome: Outcome = {
      stored: labels(stored),
      full: labels(full),
      failed: failed.length === 0 ? NONE : failed.map(({ target, error }) => ({ label: target.label, error })),
      keptPaths: keptPath === undefined ? NONE : [keptPath],
    };
    if (full.length === 0 || parcel.onFull !== "wait") return outcome;
    this.#parts.onWait();
    return this.#parts.late.waitForRoom(parcel, outcome, this.#parts.closing);
  }
}

const NONE: readonly never[] = Object.freeze([]);

function labels(targets: readonly Target[]): readonly string[] {
  return targets.length === 0 ? NONE : targets.map(({ label }) => label);
}
