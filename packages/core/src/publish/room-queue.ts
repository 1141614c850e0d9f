/** A waiting publisher looks again after this long, growing to the second, in milliseconds. */
const FIRST_LOOK_MS = 10;
const LAST_LOOK_MS = 200;

interface Waiter {
  /** Delivers if there is room. @returns whether this wait is over */
  readonly attempt: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Publishes that wait for room, in order for each subscription: as long as one waits, later ones line up behind it, or a
 * subscription that frees a place at the wrong moment would get them first.
 */
export class RoomQueue {
  readonly #waiters = new Map<string, Waiter[]>();
  readonly #timers = new Map<string, NodeJS.Timeout>();

  /** Whether a publish to this subscription has to line up. */
  isWaiting(label: string): boolean {
    return this.#waiters.has(label);
  }

  /** Resolves when `attempt` returned true; rejects with what it threw, or with the signal's reason. */
  wait(label: string, attempt: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        signal.removeEventListener("abort", onAbort);
        this.#remove(label, waiter);
      };
      const onAbort = () => {
        leave();
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        attempt,
        resolve: () => (leave(), resolve()),
        reject: (error) => (leave(), reject(error)),
      };
      if (signal.aborted) return reject(signal.reason as Error);
      signal.addEventListener("abort", onAbort);
      const line = this.#waiters.get(label);
      if (line !== undefined) return void line.push(waiter);
      this.#waiters.set(label, [waiter]);
      this.#lookLater(label, FIRST_LOOK_MS);
    });
  }

  #lookLater(label: string, delayMs: number): void {
    this.#timers.set(
      label,
      setTimeout(() => this.#look(label, delayMs), delayMs),
    );
  }

  #look(label: string, delayMs: number): void {
    let served = 0;
    for (let waiter = this.#waiters.get(label)?.[0]; waiter !== undefined; waiter = this.#waiters.get(label)?.[0]) {
      try {
        if (!waiter.attempt()) break;
        waiter.resolve();
      } catch (error) {
        waiter.reject(error as Error);
      }
      served++;
    }
    if (this.#waiters.has(label))
      this.#lookLater(label, served > 0 ? FIRST_LOOK_MS : Math.min(delayMs * 2, LAST_LOOK_MS));
  }

  #remove(label: string, waiter: Waiter): void {
    const line = this.#waiters.get(label)?.filter((other) => other !== waiter) ?? [];
    if (line.length > 0) return void this.#waiters.set(label, line);
    this.#waiters.delete(label);
    clearTimeout(this.#timers.get(label));
    this.#timers.delete(label);
  }
}
