/** What became of a run's messages, by their serial numbers. */
export interface Losses {
  readonly lost: number;
  readonly reordered: number;
  readonly repeated: number;
}

/** Keeps account of the serials that arrive, so that a lossy run cannot look fast. */
export class SerialCheck {
  readonly #seen: Uint8Array;
  #highest = 0;
  #arrived = 0;
  #reordered = 0;
  #repeated = 0;

  /** @param expected serials run from 1 to this */
  constructor(readonly expected: number) {
    this.#seen = new Uint8Array(expected + 1);
  }

  /** @returns false for one that has been here before, or was never sent */
  arrived(serial: number): boolean {
    if (!(serial >= 1 && serial <= this.expected) || this.#seen[serial] === 1) {
      this.#repeated++;
      return false;
    }
    this.#seen[serial] = 1;
    this.#arrived++;
    if (serial < this.#highest) this.#reordered++;
    else this.#highest = serial;
    return true;
  }

  get isComplete(): boolean {
    return this.#arrived === this.expected;
  }

  get losses(): Losses {
    return { lost: this.expected - this.#arrived, reordered: this.#reordered, repeated: this.#repeated };
  }
}

/** Whether times are worth anything. */
export function isClean({ lost, reordered, repeated }: Losses, keepsOrder: boolean): boolean {
  return lost === 0 && repeated === 0 && (reordered === 0 || !keepsOrder);
}

export function sumOf(all: readonly Losses[]): Losses {
  return all.reduce(
    (sum, { lost, reordered, repeated }) => ({
      lost: sum.lost + lost,
      reordered: sum.reordered + reordered,
      repeated: sum.repeated + repeated,
    }),
    { lost: 0, reordered: 0, repeated: 0 },
  );
}
