/** What is dealt with for one account before the event loop gets a turn: so many messages, or fewer where they are refused. */
const UNITS = 256;

/**
 * How much of one account's frames is dealt with at a time. Whoever floods a server over hundreds of connections waits after that much,
 * one connection behind the other, and everybody else is served in between.
 */
export class Patience {
  #left = UNITS;
  readonly #waiting: (() => void)[] = [];
  #isDue = false;

  /** @returns undefined while there is some left; otherwise what resolves when it is the connection's turn again */
  spend(units: number): Promise<void> | undefined {
    this.#renewSoon();
    if ((this.#left -= units) > 0) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #renewSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.#left = UNITS;
      this.#waiting.shift()?.();
      if (this.#waiting.length > 0) this.#renewSoon();
    });
  }
}
