/** A waiting publisher looks again after this long, growing to the second, in milliseconds. */
const FIRST_LOOK_MS = 10;
const LAST_LOOK_MS = 200;

/** Delivers if there is room. @returns whether this wait is over */
export type Attempt = () => boolean | Promise<boolean>;

interface Waiter {
  readonly attempt: Attempt;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Those who wait for one subscription, first come first. */
interface Line {
  waiters: Waiter[];
  timer: NodeJS.Timeout | undefined;
}

/**
 * Publishes that wait for room, in order for each subscription: as long as one waits, later ones line up behind it, or a
 * subscription that frees a place at the wrong moment would get them first.
 */
export class RoomQueue {
  readonly #lines = new Map<string, Line>();

  /** Whether a publish to this subscription has to line up. */
  isWaiting(label: string): boolean {
    return this.#lines.has(label);
  }

  /** Resolves when `attempt` returned true; rejects with what it threw, or with the signal's reason. */
  wait(label: string, attempt: Attempt, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        signal.removeEventListener("abort", onAbort);
        this.#leave(label, waiter);
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
      const line = this.#lines.get(label);
      if (line !== undefined) return void line.waiters.push(waiter);
      const newLine = { waiters: [waiter], timer: undefined };
      this.#lines.set(label, newLine);
      this.#lookLater(newLine, FIRST_LOOK_MS);
    });
  }

  #lookLater(line: Line, delayMs: number): void {
    line.timer = setTimeout(() => void this.#look(line, delayMs), delayMs);
  }

  /** Never rejects: a failed attempt is its waiter's. A line that has emptied meanwhile is not looked at again. */
  async #look(line: Line, delayMs: number): Promise<void> {
    let served = 0;
    for (let [waiter] = line.waiters; waiter !== undefined; [waiter] = line.waiters) {
      try {
        if (!(await waiter.attempt())) break;
        waiter.resolve();
      } catch (error) {
        waiter.reject(error as Error);
      }
      served++;
    }
    if (line.waiters.length === 0) return;
    this.#lookLater(line, served > 0 ? FIRST_LOOK_MS : Math.min(delayMs * 2, LAST_LOOK_MS));
  }

  #leave(label: string, waiter: Waiter): void {
    const line = this.#lines.get(label);
    if (line === undefined) return;
    line.waiters = line.waiters.filter((other) => other !== waiter);
    if (line.waiters.length > 0) return;
    this.#lines.delete(label);
    clearTimeout(line.timer);
  }
}
