/** As many as an event may be late for. */
const MAX_NAMES = 10_000;

/** Entries of `new/` that this consumer is changing: each change is reported like an arrival, and is none. */
export class OwnMoves {
  readonly #names = new Set<string>();

  add(name: string): void {
    if (this.#names.size >= MAX_NAMES) this.#names.clear();
    this.#names.add(name);
  }

  /** Whether an event was about one of them: once for each. */
  explains(name: string): boolean {
    return this.#names.delete(name);
  }
}
