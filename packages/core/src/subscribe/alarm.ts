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
  async wait(untilMs: number): Promise<void> {
    if (this.#hasRung) {
      this.#hasRung = false;
      return;
    }
    await new Promise<void>((resolve) => {
      const timer =
        untilMs === Infinity
          ? undefined
          : setTimeout(resolve, Math.min(Math.max(untilMs - Date.now(), 1), MAX_TIMER_MS));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
    this.#hasRung = false;
  }

  close(): void {
    this.ring();
  }
}
