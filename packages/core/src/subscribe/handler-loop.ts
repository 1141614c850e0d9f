import { runBecauseOf } from "../context.js";
import type { Taken } from "../deliver/take.js";
import { isBusError } from "../errors.js";
import type { Consumer } from "./consumer.js";
import type { Message } from "./message.js";

export type Handler<Data> = (message: Message<Data>) => unknown;

/** How long messages follow each other without a turn of the microtasks in between, in milliseconds. */
const IN_A_ROW_MS = 1;
/** Between two tries to settle a message whose handler is done, in milliseconds. */
const SETTLE_AGAIN_MS = 1_000;

/** What a loop needs of the subscription that it serves. */
export interface LoopHost<Data> {
  messageOf(taken: Taken): Message<Data>;
  /** A handler threw or rejected. */
  onFailure(error: unknown, message: Message<Data>, reason: string): void;
  /** The subscription cannot go on. */
  onBroken(error: unknown): void;
}

/**
 * Gives the messages of one consumer to a handler, so many at a time.
 *
 * A message that is at hand when the event loop tells of it reaches the handler in the same call, without a promise on its way:
 * each would cost as much as any other step. So would one between two messages: those whose handlers are done at once follow each
 * other directly for up to a millisecond.
 */
export class HandlerLoop<Data> {
  readonly #consumer: Consumer;
  readonly #handler: Handler<Data>;
  readonly #concurrency: number;
  readonly #host: LoopHost<Data>;
  /** Handlers that have not finished. */
  #running = 0;
  /** What may have killed its consumer runs alone, or it would take the others' attempts along. */
  #runsAlone = false;
  #held: Taken | undefined;
  /** The consumer, or a microtask, is to call `#goOn`. */
  #isCalled = false;
  #isOver = false;
  #isInRow = false;
  readonly #goOn = () => {
    this.#isCalled = false;
    this.#next();
  };
  /** Starts a handler while the consumer is to call `#goOn`. @returns whether it still is to */
  readonly #goOnWith = (taken: Taken) => {
    this.#runsAlone = false;
    try {
      this.#work(taken);
    } catch (error) {
      this.#break(error);
    }
    return (this.#isCalled = this.#hasRoom && !this.#isOver);
  };

  constructor(consumer: Consumer, handler: Handler<Data>, concurrency: number, host: LoopHost<Data>) {
    this.#consumer = consumer;
    this.#handler = handler;
    this.#concurrency = concurrency;
    this.#host = host;
  }

  start(): void {
    this.#goOn();
  }

  /** Starts no handler any more, and gives back what it would have started next. */
  stop(): void {
    this.#isOver = true;
    if (this.#held !== undefined) this.#consumer.release(this.#held);
    this.#held = undefined;
  }

  /** Starts handlers with what is at hand, for a moment; then the microtasks run. */
  #next(): void {
    let isAtHand: boolean;
    let since: number | undefined;
    this.#isInRow = true;
    do {
      isAtHand = this.#mayGoOn && this.#startNext();
      since ??= this.#consumer.polledAt;
    } while (isAtHand && this.#consumer.polledAt - since < IN_A_ROW_MS);
    this.#isInRow = false;
    if (isAtHand) this.#goOnSoon();
  }

  get #mayGoOn(): boolean {
    return !this.#isCalled && !this.#isOver && this.#hasRoom;
  }

  /** @returns false when there is nothing to start now */
  #startNext(): boolean {
    try {
      const taken = this.#consumer.isStopped ? this.#poll() : (this.#held ?? this.#poll());
      if (taken === undefined) return false;
      // What is refused is told to the user's code, which may have closed the subscription.
      if (this.#isOver) {
        this.#consumer.release(taken);
        return false;
      }
      this.#held = taken.isSuspect && this.#running > 0 ? taken : undefined;
      // Goes on when one of those is done.
      if (this.#held !== undefined) return false;
      this.#runsAlone = taken.isSuspect;
      this.#work(taken);
    } catch (error) {
      this.#break(error);
    }
    return true;
  }

  #break(error: unknown): void {
    this.#isOver = true;
    this.#host.onBroken(error);
  }

  get #hasRoom(): boolean {
    return this.#running < (this.#runsAlone ? 1 : this.#concurrency);
  }

  #poll(): Taken | undefined {
    const taken = this.#consumer.poll(this.#goOn, this.#goOnWith);
    if (taken !== undefined) return taken;
    if (this.#consumer.isStopped) this.#isOver = true;
    else this.#isCalled = true;
    return undefined;
  }

  #goOnSoon(): void {
    if (this.#isInRow || !this.#mayGoOn) return;
    this.#isCalled = true;
    // queueMicrotask() makes a resource for async_hooks each time; #next() never throws.
    void SETTLED.then(this.#goOn);
  }

  /** Never throws because of the handler: its failure is the message's, not the subscription's. */
  #work(taken: Taken): void {
    const message = this.#host.messageOf(taken);
    this.#running++;
    let result: unknown;
    let isPending: boolean;
    try {
      result = runBecauseOf(message, this.#handler, message);
      isPending = isThenable(result);
    } catch (error) {
      return this.#fail(message, error);
    }
    if (!isPending) return this.#settle(message);
    this.#consumer.enter();
    taken.claim.confirmBegunSoon(taken.index);
    void this.#await(message, result as PromiseLike<unknown>);
  }

  async #await(message: Message<Data>, result: PromiseLike<unknown>): Promise<void> {
    try {
      await result;
    } catch (error) {
      return this.#fail(message, error);
    }
    this.#settle(message);
  }

  #fail(message: Message<Data>, error: unknown): void {
    const reason = reasonOf(error);
    if (!message.isSettled) this.#host.onFailure(error, message, reason);
    this.#settle(message, reason);
  }

  /** @param failure why it is to be delivered again */
  #settle(message: Message<Data>, failure?: string): void {
    try {
      if (message.isSettled) {
        // By its handler.
      } else if (failure === undefined) message.ackLate();
      else message.nackNow(failure);
    } catch (error) {
      if (!isBusError(error) || error.code !== "ERR_CLOSED") {
        process.emitWarning(`${(error as Error).message}; trying again`, "AgentbusWarning");
        setTimeout(() => this.#settle(message, failure), SETTLE_AGAIN_MS);
        return;
      }
    }
    this.#running--;
    this.#goOnSoon();
  }
}

const SETTLED = Promise.resolve();

/** Whatever was thrown: there are values that cannot be made a string. */
function reasonOf(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  } catch {
    return "the handler threw something that says nothing";
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | undefined | null)?.then === "function";
}
