/** A call may come early by one part in so many of its period, if the process is awake anyway. */
const EARLY_SHARE = 4;

/** Who is called, and how often. */
interface Regular {
  readonly tick: () => Promise<void>;
  readonly everyMs: number;
  readonly keepsProcess: boolean;
  /** By performance.now(). */
  dueAt: number;
}

/**
 * Calls everybody who asked, from time to time, and as many as possible at the same time: that the process wakes up costs more than what
 * is done then. There is a timer only while somebody asks.
 */
export class Ticker {
  readonly #regulars = new Set<Regular>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param keepsProcess whether the process is to run on because of this
   * @returns what ends the calls
   */
  add(tick: () => Promise<void>, everyMs: number, keepsProcess = true): () => void {
    const now = performance.now();
    // The first call comes along with somebody else's, and so do those that follow.
    const dueAt = Math.max(now, Math.min(now + everyMs, this.#nextDueAt));
    const regular = { tick, everyMs, keepsProcess, dueAt };
    this.#regulars.add(regular);
    this.#schedule();
    return () => {
      this.#regulars.delete(regular);
      this.#schedule();
    };
  }

  /** Infinity while nobody asks. */
  get #nextDueAt(): number {
    return Math.min(...Array.from(this.#regulars, ({ dueAt }) => dueAt));
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#regulars.size === 0) return;
    const keepsProcess = [...this.#regulars].some((regular) => regular.keepsProcess);
    // A timer may be early by a fraction of a millisecond.
    const timer = setTimeout(() => this.#run(), Math.max(1, Math.ceil(this.#nextDueAt - performance.now())));
    this.#timer = keepsProcess ? timer : timer.unref();
  }

  #run(): void {
    const now = performance.now();
    for (const regular of this.#regulars) {
      const { tick, everyMs, dueAt } = regular;
      if (dueAt - now > everyMs / EARLY_SHARE) continue;
      regular.dueAt = now + everyMs;
      // The next tick tries again; what matters is reported by the consumer itself.
      tick().catch((error: unknown) => process.emitWarning((error as Error).message, "AgentbusWarning"));
    }
    this.#schedule();
  }
}
