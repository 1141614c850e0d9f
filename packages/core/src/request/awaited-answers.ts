import type { AwaitedAnswer } from "./awaited-answer.js";

/** Where more than so many wait, a timeout may come late: by a millisecond for each time as many. */
const LOOKED_AT_PER_MS = 1_000;

/**
 * The answers that one bus waits for, by the ids of the requests.
 *
 * One timer serves all of them. It is left standing when its answer has come, because to make one for each request and to take it away
 * costs as much as writing the request; but it keeps no process alive that waits for nothing.
 */
export class AwaitedAnswers {
  readonly #answers = new Map<string, AwaitedAnswer>();
  #timer: NodeJS.Timeout | undefined;
  /** By performance.now(). */
  #timerAt = Infinity;
  readonly #onTime = () => this.#timeOut();

  get(requestId: string): AwaitedAnswer | undefined {
    return this.#answers.get(requestId);
  }

  add(answer: AwaitedAnswer): void {
    this.#answers.set(answer.requestId, answer);
    if (answer.until < this.#timerAt) this.#wakeAt(answer.until);
    else if (this.#answers.size === 1) this.#timer?.ref();
  }

  delete({ requestId }: AwaitedAnswer): void {
    if (this.#answers.delete(requestId) && this.#answers.size === 0) this.#timer?.unref();
  }

  failAll(error: Error): void {
    for (const answer of this.#answers.values()) answer.fail(error);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  #wakeAt(at: number): void {
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(this.#onTime, Math.ceil(at - performance.now()));
  }

  #timeOut(): void {
    this.#timer = undefined;
    this.#timerAt = Infinity;
    const now = performance.now();
    let next = Infinity;
    for (const answer of this.#answers.values()) {
      if (answer.until <= now) answer.timeOut();
      else next = Math.min(next, answer.until);
    }
    // To look at them all for each single one of many would leave time for little else.
    if (next < Infinity) this.#wakeAt(Math.max(next, now + this.#answers.size / LOOKED_AT_PER_MS));
  }
}
