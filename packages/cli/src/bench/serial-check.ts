/** What became of messages that were sent in the order of their serial numbers. */
export interface Check {
  readonly sent: number;
  readonly lost: number;
  readonly repeated: number;
  readonly reordered: number;
}

/** Keeps account of the serials that arrive, from 1, so that a lossy run cannot look fast. */
export class SerialCheck {
  #highest = 0;
  /** Below the highest, and not here yet. */
  readonly #missing = new Set<number>();
  #repeated = 0;
  #reordered = 0;

  arrived(serial: number): void {
    if (serial > this.#highest) {
      for (let missing = this.#highest + 1; missing < serial; missing++) this.#missing.add(missing);
      this.#highest = serial;
    } else if (this.#missing.delete(serial)) this.#reordered++;
    else this.#repeated++;
  }

  /** @param sent the last serial that was sent */
  result(sent: number): Check {
    const lost = this.#missing.size + sent - this.#highest;
    return { sent, lost, repeated: this.#repeated, reordered: this.#reordered };
  }
}

/** Whether times are worth anything. */
export function isClean({ lost, repeated, reordered }: Check): boolean {
  return lost === 0 && repeated === 0 && reordered === 0;
}
