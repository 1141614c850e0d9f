import { MAX_TIMER_MS } from "../options.js";

/** Something that one waits for and others ring. Ringing while nobody waits is remembered, so that no ring falls between two waits. */
export class Alarm {
  #wasMissed = false;
  #onRing: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Whether somebody waits for a ring. */
  get isAwaited(): boolean {
    return this.#onRing !== undefined;
  }

  /** Whoever waits goes on in a microtask: it may be called from the midst of any work. */
  ring(): void {
    const onRing = this.#release();
    if (onRing === undefined) this.#wasMissed = true;
    else queueMicrotask(onRing);
  }

  /** Whoever waits goes on before this returns: only for what the event loop calls, which is in the midst of nothing. */
  ringNow(): void {
    const onRing = this.#release();
    if (onRing === undefined) this.#wasMissed = true;
    else onRing();
  }

  /**
   * Calls `onRing` once, on the next ring or at `untilMs` (ms since 1970; Infinity: only on a ring).
   * @returns false when it has rung since the last wait: then `onRing` is not called
   */
  wait(untilMs: number, onRing: () => void): boolean {
    if (this.#wasMissed) return (this.#wasMissed = false);
    this.#onRing = onRing;
    if (untilMs === Infinity) return true;
    const delayMs = Math.min(Math.max(untilMs - Date.now(), 1), MAX_TIMER_MS);
    this.#timer = setTimeout(() => this.ringNow(), delayMs);
    return true;
  }

  /** Resolves on the next ring, or at once when it has rung since the last wait. */
  hasRung(): Promise<void> {
    return new Promise((resolve) => {
      if (!this.wait(Infinity, resolve)) resolve();
    });
  }

  /** Whoever waits is not called. @returns what would have been; undefined when nobody waits */
  disarm(): (() => void) | undefined {
    return this.#release();
  }

  #release(): (() => void) | undefined {
    const onRing = this.#onRing;
    this.#onRing = undefined;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    return onRing;
  }
}
