import type { SocketMessage } from "@agentbus/core";

interface Waiting<Data> {
  readonly message: SocketMessage<Data>;
  /** @returns false when nobody wants it any more */
  readonly take: () => boolean;
}

/** Where messages wait for whoever iterates a server that has no handler. */
export class Hall<Data> implements AsyncIterator<SocketMessage<Data>, undefined> {
  readonly #onLeft: () => Promise<void>;
  readonly #onTaken: () => void;
  readonly #waiting: Waiting<Data>[] = [];
  readonly #readers: ((result: IteratorResult<SocketMessage<Data>, undefined>) => void)[] = [];
  #isOver = false;
  #isEnded = false;

  constructor(onLeft: () => Promise<void>, onTaken: () => void) {
    this.#onLeft = onLeft;
    this.#onTaken = onTaken;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  put(message: SocketMessage<Data>, take: () => boolean): void {
    if (this.#isOver) return;
    const reader = this.#readers.shift();
    if (reader === undefined) this.#waiting.push({ message, take });
    else if (take()) reader({ done: false, value: message });
    else this.#readers.unshift(reader);
  }

  /** No more comes, and what waits is dropped. */
  shut(): void {
    this.#isOver = true;
    this.#waiting.length = 0;
  }

  /** To be called after `shut()`: who iterates is done. */
  end(): void {
    this.#isEnded = true;
    for (const reader of this.#readers.splice(0)) reader({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<SocketMessage<Data>, undefined>> {
    for (let waiting; (waiting = this.#waiting.shift()) !== undefined;) {
      const { message, take } = waiting;
      const isWanted = take();
      this.#onTaken();
      if (isWanted) return Promise.resolve({ done: false, value: message });
    }
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  async return(): Promise<IteratorResult<SocketMessage<Data>, undefined>> {
    await this.#onLeft();
    return { done: true, value: undefined };
  }
}
