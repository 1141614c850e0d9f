/** So many names more than are kept are collected before the surplus goes: one part in so many. */
const SURPLUS_SHARE = 4;

/**
 * The first of however many names, in order: a directory may hold more of them than memory should. The rest is left to another
 * listing, when these are used up.
 *
 * What it holds is sorted now and then as a whole, which is fast where names come in any order of runs, as directories give them.
 */
export class FirstNames {
  readonly #max: number;
  readonly #limit: number;
  #names: string[] = [];
  /** Nothing after this one is among the first. */
  #last: string | undefined;

  constructor(max: number) {
    this.#max = max;
    this.#limit = max + Math.ceil(max / SURPLUS_SHARE);
  }

  /** Whether some were left out. */
  get isPartial(): boolean {
    return this.#last !== undefined;
  }

  /** How many names it holds: never more than the most that are kept and a quarter. */
  get length(): number {
    return this.#names.length;
  }

  add(name: string): void {
    if (this.#last !== undefined && name > this.#last) return;
    this.#names.push(name);
    if (this.#names.length >= this.#limit) this.#cut();
  }

  /** All that are kept, each once, the last one first; to be called once. */
  lastFirst(): string[] {
    this.#sort();
    if (this.#names.length > this.#max) this.#cut();
    return this.#names.reverse();
  }

  /** A name may be met by a reading and told of by an event. */
  #sort(): void {
    this.#names = this.#names.sort().filter((name, at, names) => name !== names[at - 1]);
  }

  #cut(): void {
    this.#sort();
    if (this.#names.length <= this.#max) return;
    this.#names.length = this.#max;
    this.#last = this.#names.at(-1);
  }
}
