import { setMaxListeners } from "node:events";
import {
  BusError,
  PassingMessage,
  responderFailure,
  type Answer,
  type Due,
  type Envelope,
  type Sender,
} from "@agentbus/core";
import type { Incoming } from "../stream/incoming.js";
import type { Room } from "../stream/room.js";

/** What a call needs of its client. */
export interface CallHost {
  /** Nobody waits for it any more. */
  giveUp(call: PendingCall): void;
  /** For errors: "@codebot/search". */
  readonly to: string;
}

export interface CallFacts {
  readonly id: string;
  /** Its envelope. */
  readonly text: string;
  /** By performance.now(). */
  readonly until: number;
  readonly timeoutMs: number;
  readonly isIdempotent: boolean;
  readonly signal: AbortSignal | undefined;
  /** Data that is a stream. */
  readonly source: AsyncIterable<unknown> | undefined;
}

/** A call, from its making to its answer; or to the end of its answer, where that is a stream. */
export class PendingCall implements Due {
  readonly id: string;
  readonly text: string;
  readonly until: number;
  readonly isIdempotent: boolean;
  readonly source: AsyncIterable<unknown> | undefined;
  readonly answered: Promise<Answer>;
  /** Its number on the connection that it went through last. */
  number = 0;
  /** For the stream of its data. */
  room: Room | undefined;
  /** Its answer, where that is a stream. */
  incoming: Incoming<unknown> | undefined;
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #host: CallHost;
  #isSettled = false;
  #resolve!: (answer: Answer) => void;
  #reject!: (error: Error) => void;
  #onAbort: (() => void) | undefined;

  constructor(host: CallHost, facts: CallFacts) {
    this.#host = host;
    this.id = facts.id;
    this.text = facts.text;
    this.until = facts.until;
    this.isIdempotent = facts.isIdempotent;
    this.source = facts.source;
    this.#timeoutMs = facts.timeoutMs;
    this.#signal = facts.signal;
    this.answered = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (facts.signal !== undefined) this.#listen(facts.signal);
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  answer(envelope: Envelope, sender: Sender): void {
    this.#settle();
    const { replyerror } = envelope;
    const message = new PassingMessage(envelope, sender);
    if (replyerror === undefined) return this.#resolve(message);
    this.#reject(responderFailure(message, replyerror));
  }

  answerWithStream(envelope: Envelope, sender: Sender, incoming: Incoming<unknown>): void {
    // The signal goes on to be listened to, until the stream has ended.
    this.#isSettled = true;
    this.incoming = incoming;
    const message = new PassingMessage(envelope, sender);
    (message as { data: unknown }).data = incoming;
    this.#resolve(message);
  }

  fail(error: Error): void {
    this.#settle();
    this.room?.close();
    this.incoming?.abort(error);
    this.#reject(error);
  }

  timeOut(): void {
    this.#host.giveUp(this);
    this.fail(
      new BusError("ERR_TIMEOUT", `no answer from ${this.#host.to} within ${this.#timeoutMs} ms`, {
        fix: "agentbus status shows whether it is served; a longer timeoutMs gives it more time",
      }),
    );
  }

  /** The stream of its answer has ended, or is not wanted. */
  finish(): void {
    this.#settle();
    this.room?.close();
  }

  #listen(signal: AbortSignal): void {
    this.#onAbort = () => {
      this.#host.giveUp(this);
      this.fail(signal.reason as Error);
    };
    // One signal for a thousand calls is no leak: each stops listening when it is answered.
    setMaxListeners(0, signal);
    signal.addEventListener("abort", this.#onAbort);
  }

  #settle(): void {
    this.#isSettled = true;
    if (this.#onAbort === undefined) return;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#onAbort = undefined;
  }
}
