import type { Message } from "./message.js";
import type { Subscription } from "./subscription.js";

/**
 * What `bus.subscribe()` returns at once: await it to know that the subscription is in place, or iterate it right away. It is not
 * the subscription itself, because a promise cannot resolve with something that has a `then`.
 */
export class PendingSubscription<Data = unknown> implements Promise<Subscription<Data>>, AsyncIterable<Message<Data>> {
  readonly #opening: Promise<Subscription<Data>>;

  constructor(opening: Promise<Subscription<Data>>) {
    this.#opening = opening;
  }

  // oxlint-disable-next-line unicorn/no-thenable -- awaiting it is its purpose
  then<A = Subscription<Data>, B = never>(
    onOpen?: ((subscription: Subscription<Data>) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#opening.then(onOpen, onError);
  }

  catch<B = never>(onError?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<Subscription<Data> | B> {
    return this.#opening.catch(onError);
  }

  finally(onEnd?: (() => void) | null): Promise<Subscription<Data>> {
    return this.#opening.finally(onEnd);
  }

  get [Symbol.toStringTag](): string {
    return "PendingSubscription";
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message<Data>, void, undefined> {
    const subscription = await this.#opening;
    yield* subscription;
  }
}
