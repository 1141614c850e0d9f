import type { FirstNames } from "./first-names.js";

/** An arrival that comes after all that wait is entered while they are so few; else it is left to the next listing. */
const FEW = 64;

/** The names in `new/`, in delivery order: the first ones, and whether there are more behind them. */
export class Arrivals {
  readonly #maxKept: number;
  /** The last one first. */
  #names: string[] = [];
  #hasMore = false;

  constructor(maxKept: number) {
    this.#maxKept = maxKept;
  }

  get head(): string | undefined {
    return this.#names.at(-1);
  }

  /** Whether only another listing tells what comes next. */
  get isUsedUp(): boolean {
    return this.#hasMore && this.#names.length === 0;
  }

  take(): string | undefined {
    return this.#names.pop();
  }

  /** Up to `max` names from the first one on, in whatever order. */
  first(max: number): string[] {
    return this.#names.slice(-max);
  }

  replace(listed: FirstNames): void {
    this.#hasMore = listed.isPartial;
    this.#names = listed.lastFirst();
  }

  /** Puts a name in its place, if it is not there already. */
  enter(name: string): void {
    const names = this.#names;
    const [last] = names;
    if (last === undefined || name > last) {
      if (this.#hasMore || names.length >= FEW) this.#hasMore = true;
      else names.unshift(name);
      return;
    }
    const place = placeOf(name, names);
    if (names[place] === name) return;
    names.splice(place, 0, name);
    if (names.length <= this.#maxKept) return;
    names.shift();
    this.#hasMore = true;
  }
}

/** Where a name is, or belongs, among names of which the last one comes first. */
function placeOf(name: string, names: readonly string[]): number {
  let from = 0;
  let to = names.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((names[middle] as string) > name) from = middle + 1;
    else to = middle;
  }
  return from;
}
