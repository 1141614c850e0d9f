/** Calls everybody who asked, from time to time, on one timer; the timer runs only while somebody asks. */
export class Ticker {
  readonly #everyMs: number;
  readonly #ticks = new Set<() => Promise<void>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** @returns what ends the calls */
  add(tick: () => Promise<void>): () => void {
    this.#ticks.add(tick);
    this.#timer ??= setInterval(() => this.#run(), this.#everyMs);
    return () => {
      this.#ticks.delete(tick);
      if (this.#ticks.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  #run(): void {
    for (const tick of this.#ticks) {
      // The next tick tries again; what matters is reported by the consumer itself.
      tick().catch((error: unknown) => process.emitWarning((error as Error).message, "AgentbusWarning"));
    }
  }
}
