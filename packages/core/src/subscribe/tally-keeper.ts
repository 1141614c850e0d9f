import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";
import { sweepTally } from "../tally.js";

/** How often an inbox's tally is compared with what waits, in milliseconds … */
const SWEEP_EVERY_MS = 1_000;
/** … and at least this many times as long as it took. */
const SWEEP_SHARE = 100;

/** Keeps an inbox's tally true: a neighbour may count messages that it never sends, until the inbox looks full to everybody. */
export class TallyKeeper {
  #nextAt = 0;

  constructor(
    private readonly spool: Spool,
    private readonly directories: SubscriptionDirectories,
  ) {}

  /** Does nothing where there is no tally, or it was looked at just now. @throws the system's error */
  look(): void {
    const { tallyDir, new: arrivals } = this.directories;
    const began = performance.now();
    if (tallyDir === undefined || began < this.#nextAt) return;
    sweepTally(this.spool, tallyDir, this.spool.fileSystem.readdir(arrivals.base));
    const now = performance.now();
    this.#nextAt = now + Math.max(SWEEP_EVERY_MS, SWEEP_SHARE * (now - began));
  }
}
