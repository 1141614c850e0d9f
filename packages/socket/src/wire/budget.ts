/** Somebody who can be asked to read no more for a while. */
export interface Pausable {
  pause(): void;
  resume(): void;
}

/**
 * The memory that one account's connections may take in a process: what has come in and has not been consumed. A connection that brings
 * more than there is room for is not read until enough of it is gone, so that an account holds up nobody but itself.
 */
export class Budget {
  readonly #maxBytes: number;
  readonly #paused = new Set<Pausable>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @param by who has brought them */
  take(bytes: number, by: Pausable): void {
    this.#bytes += bytes;
    if (this.#bytes <= this.#maxBytes || this.#paused.has(by)) return;
    this.#paused.add(by);
    by.pause();
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#paused.size === 0 || this.#bytes > this.#maxBytes / 2) return;
    const paused = [...this.#paused];
    this.#paused.clear();
    for (const each of paused) each.resume();
  }

  /** It is gone. What it had brought is given back by itself. */
  forget(by: Pausable): void {
    this.#paused.delete(by);
  }
}
