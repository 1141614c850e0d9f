/** What a stream's reader tells the other end. */
export interface Upstream {
  /** There is room for so many more bytes. */
  grant(bytes: number): void;
  /** No more is wanted. */
  cancel(): void;
  /** Bytes that were held are gone. */
  release(bytes: number): void;
}

interface Held<Item> {
  readonly item: Item;
  /** 0 when it has come through an earlier connection. */
  bytes: number;
}

interface Waiting<Item> {
  readonly resolve: (result: IteratorResult<Item, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A stream as it comes in, for one reader. The other end may send as many bytes as there is room for, and learns of more room when half
 * of it has been consumed: so it waits for a slow reader, and hardly ever for a fast one.
 */
export class Incoming<Item> implements AsyncIterableIterator<Item, undefined> {
  readonly #upstream: Upstream;
  readonly #room: number;
  readonly #held: Held<Item>[] = [];
  readonly #waiting: Waiting<Item>[] = [];
  /** Of the room, in bytes: what has come and was not granted again. */
  #used = 0;
  #consumed = 0;
  #end: { readonly error?: unknown } | undefined;
  #isLeft = false;

  constructor(room: number, upstream: Upstream) {
    this.#room = room;
    this.#upstream = upstream;
  }

  /** No more comes, or no more is wanted. */
  get isOver(): boolean {
    return this.#end !== undefined || this.#isLeft;
  }

  /** Whether somebody waits for the next one. */
  get isAwaited(): boolean {
    return this.#waiting.length > 0;
  }

  /** @returns false when the other end has sent more than there was room for */
  push(item: Item, bytes: number): boolean {
    // The last one may exceed the room, as long as there was any.
    const isWithin = this.#used < this.#room;
    this.#used += bytes;
    if (this.isOver) {
      this.#upstream.release(bytes);
      return true;
    }
    const reader = this.#waiting.shift();
    if (reader === undefined) this.#held.push({ item, bytes });
    else {
      this.#consume(bytes);
      reader.resolve({ done: false, value: item });
    }
    return isWithin;
  }

  /** The other end has sent all. What is held can still be read. @param error why it broke off, where it did */
  end(error?: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = error === undefined ? {} : { error };
    for (const reader of this.#waiting.splice(0)) this.#finish(reader);
  }

  /** Breaks it off here: what is held is dropped, and whoever reads is told why. */
  abort(error: unknown): void {
    for (const { bytes } of this.#held.splice(0)) this.#upstream.release(bytes);
    this.end(error);
  }

  /** All of the room is there again: what comes from now on comes through another connection. */
  renew(): void {
    for (const held of this.#held) held.bytes = 0;
    this.#used = 0;
    this.#consumed = 0;
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    const held = this.#held.shift();
    if (held !== undefined) {
      this.#consume(held.bytes);
      return Promise.resolve({ done: false, value: held.item });
    }
    return new Promise((resolve, reject) => {
      if (this.isOver) this.#finish({ resolve, reject });
      else this.#waiting.push({ resolve, reject });
    });
  }

  /** Leaves: what is held is dropped, and the other end is told to stop. */
  async return(): Promise<IteratorResult<Item, undefined>> {
    this.drop();
    return { done: true, value: undefined };
  }

  drop(): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    for (const { bytes } of this.#held.splice(0)) this.#upstream.release(bytes);
    for (const reader of this.#waiting.splice(0)) this.#finish(reader);
    if (this.#end === undefined) this.#upstream.cancel();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #finish({ resolve, reject }: Waiting<Item>): void {
    const end = this.#end;
    if (end === undefined || !("error" in end) || this.#isLeft) return resolve({ done: true, value: undefined });
    reject(end.error);
  }

  #consume(bytes: number): void {
    if (bytes === 0) return;
    this.#upstream.release(bytes);
    this.#consumed += bytes;
    if (this.#consumed < this.#room / 2 || this.#end !== undefined) return;
    this.#used -= this.#consumed;
    this.#upstream.grant(this.#consumed);
    this.#consumed = 0;
  }
}
