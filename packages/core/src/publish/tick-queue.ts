import type { Outcome, Parcel } from "./parcel.js";

/** A parcel, and whoever waits to hear what became of it. */
export interface Waiting {
  readonly parcel: Parcel;
  readonly resolve: (outcome: Outcome | Promise<Outcome>) => void;
  readonly reject: (error: unknown) => void;
}

/** Tells each of them what became of its parcel. @returns a promise when that takes a wait; it never rejects */
type Settle = (waiting: readonly Waiting[]) => void | Promise<void>;

/**
 * Parcels whose turn has not come: those that follow another one in the same tick come together in the microtask after it, and those
 * that arrive while a commit waits, for the disk or for the account database, form the next group.
 */
export class TickQueue {
  readonly #settle: Settle;
  #waiting: Waiting[] = [];
  /** A microtask is to come that empties the queue. */
  #isGathering = false;
  /** Set while a commit waits for the disk or the account database. */
  #running: Promise<void> | undefined;
  readonly #endTick = () => {
    this.#isGathering = false;
    this.#run();
  };

  constructor(settle: Settle) {
    this.#settle = settle;
  }

  /** Nobody is before the next parcel of this tick. */
  get isEmpty(): boolean {
    return !this.#isGathering && this.#waiting.length === 0 && this.#running === undefined;
  }

  add(parcel: Parcel): Promise<Outcome> {
    return new Promise<Outcome>((resolve, reject) => {
      this.#waiting.push({ parcel, resolve, reject });
    });
  }

  /** A microtask later, the publishes of this tick are all in the queue. */
  gather(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    // queueMicrotask() makes a resource for async_hooks each time; #run() never throws.
    void SETTLED.then(this.#endTick);
  }

  /** Nobody's turn comes before this is settled. */
  waitFor(promise: Promise<void>): void {
    const goOn = () => {
      this.#running = undefined;
      this.#run();
    };
    this.#running = promise.then(goOn, goOn);
  }

  /** Resolves when what has been handed in is committed. */
  async whenDone(): Promise<void> {
    await Promise.resolve();
    while (this.#running !== undefined) await this.#running;
  }

  #run(): void {
    while (this.#waiting.length > 0 && this.#running === undefined) {
      const waiting = this.#waiting;
      this.#waiting = [];
      const settling = this.#settle(waiting);
      if (settling !== undefined) this.waitFor(settling);
    }
  }
}

const SETTLED = Promise.resolve();
