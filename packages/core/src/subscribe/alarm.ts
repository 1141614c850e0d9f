import { MAX_TIMER_MS } from "../options.js";

/** Something that one waits for and others ring. Ringing while nobody waits is remembered, so that no ring falls between two waits. */
export class Alarm {
  #hasRung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#hasRung = true;
    this.#wake?.();
  }

  /** Resolves on the next ring, or at `untilMs` (ms since 1970; Infinity: only on a ring). */
  wait(untilMs: number): void | Promise<void> {
    if (this.#hasRung) return void (this.#hasRung = false);
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        this.#hasRung = false;
        resolve();
      };
      const delayMs = Math.min(Math.max(untilMs - Date.now(), 1), MAX_TIMER_MS);
      const timer = untilMs === Infinity ? undefined : setTimeout(wake, delayMs);
      this.#wake = wake;
    });
  }

  close(): void {
    this.ring();
  }
}
