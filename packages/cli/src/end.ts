import { BusError, type Subscription } from "@agentbus/core";
import type { Interruption } from "./interruption.js";

export interface EndOptions {
  readonly count?: number;
  readonly timeout?: number;
}

/** The longest that a timer can express: what is in work is waited for, however long it takes. */
const AS_LONG_AS_IT_TAKES_MS = 2_147_483_647;

/** When a command that listens has listened enough: after so many messages, so much time, or Ctrl-C. */
export class End {
  readonly #controller = new AbortController();
  readonly #count: number;
  readonly #timer: NodeJS.Timeout | undefined;
  #handled = 0;
  #inWork = 0;
  #onChange: (() => void)[] = [];

  constructor({ count = Infinity, timeout }: EndOptions, interruption: Interruption) {
    this.#count = count;
    this.#timer = timeout === undefined ? undefined : setTimeout(() => this.now(this.#timedOut(timeout)), timeout);
    interruption.onFirst(() => this.now(interruption.signal.reason as Error));
  }

  /** Aborted at the end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** @param reason what the command fails with @default it has done what it was to do */
  now(reason?: Error): void {
    clearTimeout(this.#timer);
    this.#controller.abort(reason ?? DONE);
    this.#change();
  }

  /** Asks to begin one more message; waits while those in work may be the last. @returns false when it is not wanted any more */
  async begin(): Promise<boolean> {
    while (!this.signal.aborted && this.#handled + this.#inWork >= this.#count) {
      await new Promise<void>((resolve) => this.#onChange.push(resolve));
    }
    if (this.signal.aborted) return false;
    this.#inWork++;
    return true;
  }

  /** @param isHandled whether it counts: not what will be delivered again */
  finish(isHandled: boolean): void {
    this.#inWork--;
    if (isHandled) this.#handled++;
    if (this.#handled >= this.#count) this.now();
    this.#change();
  }

  /**
   * Waits for the end, and then for what is in work.
   * @throws why it ended: Interrupted, BusError ERR_TIMEOUT, what `now()` was given, or the subscription's own failure
   */
  async of(subscription: Pick<Subscription, "done" | "drain">, drainMs = AS_LONG_AS_IT_TAKES_MS): Promise<void> {
    try {
      await Promise.race([subscription.done, this.#reached()]);
    } finally {
      clearTimeout(this.#timer);
      await subscription.drain({ timeoutMs: drainMs });
    }
    this.throwIfFailed();
  }

  throwIfFailed(): void {
    if (this.signal.aborted && this.signal.reason !== DONE) throw this.signal.reason as Error;
  }

  #reached(): Promise<void> {
    if (this.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => this.signal.addEventListener("abort", () => resolve(), { once: true }));
  }

  #change(): void {
    for (const wake of this.#onChange.splice(0)) wake();
  }

  #timedOut(timeoutMs: number): BusError {
    const wanted = Number.isFinite(this.#count) ? `${this.#handled} of ${this.#count}` : String(this.#handled);
    return new BusError("ERR_TIMEOUT", `${wanted} messages within ${timeoutMs} ms`);
  }
}

const DONE = Symbol("done");
