import { setTimeout as delay } from "node:timers/promises";

/** What became of a run's messages, by their serial numbers. */
export interface Losses {
  readonly lost: number;
  readonly reordered: number;
  readonly repeated: number;
}

export const NO_LOSSES: Losses = Object.freeze({ lost: 0, reordered: 0, repeated: 0 });

/** What has not arrived when nothing came for so long is lost, in milliseconds. */
const LOST_AFTER_MS = 5_000;

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

  /** How many serials have arrived. */
  get count(): number {
    return this.#arrived;
  }

  get isComplete(): boolean {
    return this.#arrived === this.expected;
  }

  get losses(): Losses {
    return { lost: this.expected - this.#arrived, reordered: this.#reordered, repeated: this.#repeated };
  }
}

/** Resolves when so many have arrived everywhere, or when nothing has come any more for `quietMs`. */
export async function untilQuiet(checks: readonly SerialCheck[], upTo: number, quietMs = LOST_AFTER_MS): Promise<void> {
  let before = -1;
  let quietSince = performance.now();
  for (;;) {
    if (checks.every(({ count }) => count >= upTo)) return;
    const arrived = checks.reduce((sum, { count }) => sum + count, 0);
    if (arrived !== before) quietSince = performance.now();
    else if (performance.now() - quietSince > quietMs) return;
    before = arrived;
    await delay(10);
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
    NO_LOSSES,
  );
}
