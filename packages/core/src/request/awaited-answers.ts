import { Deadlines } from "../deadlines.js";
import type { AwaitedAnswer } from "./awaited-answer.js";

/** The answers that one bus waits for, by the ids of the requests. */
export class AwaitedAnswers {
  readonly #answers = new Map<string, AwaitedAnswer>();
  readonly #deadlines = new Deadlines();

  get(requestId: string): AwaitedAnswer | undefined {
    return this.#answers.get(requestId);
  }

  add(answer: AwaitedAnswer): void {
    this.#answers.set(answer.requestId, answer);
    this.#deadlines.add(answer);
  }

  delete(answer: AwaitedAnswer): void {
    this.#answers.delete(answer.requestId);
    this.#deadlines.delete(answer);
  }

  failAll(error: Error): void {
    for (const answer of this.#answers.values()) answer.fail(error);
    this.#deadlines.clear();
  }
}
