import { constants } from "node:os";
import { Interrupted } from "./failure.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
type StopSignal = (typeof SIGNALS)[number];

/** What is done about the second signal may take so long, in milliseconds. */
const LAST_WORDS_MS = 250;

/**
 * Ctrl-C, as a command sees it: the first one asks it to finish what it is doing, the second ends it.
 *
 * Without this a signal would end the process on the spot, and leave its subscriptions for others to clear away.
 */
export class Interruption {
  /** Aborted by the first signal, with an `Interrupted` as its reason. */
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #onSignal = (signal: StopSignal) => this.#interrupt(signal);
  readonly #onFirst: ((signal: StopSignal) => void)[] = [];
  readonly #onSecond: (() => Promise<void>)[] = [];
  #count = 0;

  constructor() {
    this.signal = this.#controller.signal;
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  onFirst(action: (signal: StopSignal) => void): void {
    this.#onFirst.push(action);
  }

  /** The process ends when the action is done, or soon after. */
  onSecond(action: () => Promise<void>): void {
    this.#onSecond.push(action);
  }

  close(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }

  #interrupt(signal: StopSignal): void {
    const exitCode = 128 + constants.signals[signal];
    this.#count++;
    if (this.#count === 1) {
      this.#controller.abort(new Interrupted(exitCode));
      for (const action of this.#onFirst) action(signal);
      return;
    }
    // What a bus removes when its process ends by itself is removed here too.
    const end = () => process.exit(exitCode);
    if (this.#count > 2) end();
    setTimeout(end, LAST_WORDS_MS);
    Promise.all(this.#onSecond.map((action) => action())).then(end, end);
  }
}
