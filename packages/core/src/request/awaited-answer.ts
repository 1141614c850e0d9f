import type { BusError } from "../errors.js";
import type { Message } from "../subscribe/message.js";

/** The answer that one request waits for. */
export class AwaitedAnswer {
  readonly requestId: string;
  /** Only this account may answer; undefined when any may. */
  readonly from: string | undefined;
  /** By performance.now(). */
  readonly until: number;
  readonly arrived: Promise<Message>;
  readonly #timedOut: () => BusError;
  #answer!: (message: Message) => void;
  #fail!: (reason: Error) => void;

  constructor(requestId: string, from: string | undefined, until: number, timedOut: () => BusError) {
    this.requestId = requestId;
    this.from = from;
    this.until = until;
    this.#timedOut = timedOut;
    this.arrived = new Promise((resolve, reject) => {
      this.#answer = resolve;
      this.#fail = reject;
    });
  }

  answer(message: Message): void {
    this.#answer(message);
  }

  fail(reason: Error): void {
    this.#fail(reason);
  }

  timeOut(): void {
    this.#fail(this.#timedOut());
  }
}
