/** What is to be done by some time. */
export interface Due {
  /** By performance.now(). */
  readonly until: number;
  timeOut(): void;
}

/** Where more than so many wait, a timeout may come late: by a millisecond for each time as many. */
const LOOKED_AT_PER_MS = 1_000;

/**
 * One timer for all that waits for something. It is left standing when that has come, because to make one for each and to take it away costs
 * as much as to ask; but it keeps no process alive that waits for nothing.
 */
export class Deadlines {
  readonly #waiting = new Set<Due>();
  #timer: NodeJS.Timeout | undefined;
  /** By performance.now(). */
  #timerAt = Infinity;
  readonly #onTime = () => this.#timeOut();

  add(due: Due): void {
    this.#waiting.add(due);
    if (due.until < this.#timerAt) this.#wakeAt(due.until);
    else if (this.#waiting.size === 1) this.#timer?.ref();
  }

  delete(due: Due): void {
    if (this.#waiting.delete(due) && this.#waiting.size === 0) this.#timer?.unref();
  }

  clear(): void {
    this.#waiting.clear();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  #wakeAt(at: number): void {
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(this.#onTime, Math.ceil(at - performance.now()));
  }

  #timeOut(): void {
    this.#timer = undefined;
    this.#timerAt = Infinity;
    const now = performance.now();
    let next = Infinity;
    for (const due of this.#waiting) {
      if (due.until > now) next = Math.min(next, due.until);
      else {
        this.#waiting.delete(due);
        due.timeOut();
      }
    }
    if (next < Infinity) this.#wakeAt(Math.max(next, now + this.#waiting.size / LOOKED_AT_PER_MS));
  }
}
