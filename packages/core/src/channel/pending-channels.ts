import type { DrainOptions } from "../subscribe/subscription.js";
import type { ChannelMessage, SendOptions, Sent } from "./channel.js";
import type { Pipe, Pipes } from "./pipe.js";
import type { Answer } from "../request/request.js";
import type { CallOptions, SocketClient, SocketMessage, SocketServer } from "./socket.js";

/** A channel that is being opened: await it to know that it is open, or use it right away. */
class PendingChannel<Channel> implements Promise<Channel> {
  protected readonly opening: Promise<Channel>;

  constructor(opening: Promise<Channel>) {
    this.opening = opening;
    // Used later, a failure is thrown then.
    opening.catch(() => undefined);
  }

  // oxlint-disable-next-line unicorn/no-thenable -- awaiting it is its purpose
  then<A = Channel, B = never>(
    onOpen?: ((channel: Channel) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.opening.then(onOpen, onError);
  }

  catch<B = never>(onError?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<Channel | B> {
    return this.opening.catch(onError);
  }

  finally(onEnd?: (() => void) | null): Promise<Channel> {
    return this.opening.finally(onEnd);
  }

  get [Symbol.toStringTag](): string {
    return "PendingChannel";
  }
}

/** What `bus.pipe()` returns at once. */
export class PendingPipe extends PendingChannel<Pipe> {
  async send(data: unknown, options?: SendOptions): Promise<Sent> {
    return (await this.opening).send(data, options);
  }

  async drain(options?: DrainOptions): Promise<void> {
    await (await this.opening).drain(options);
  }

  async close(): Promise<void> {
    await (await this.opening).close();
  }
}

/** What `bus.pipes()` returns at once. */
export class PendingPipes<Data = unknown>
  extends PendingChannel<Pipes<Data>>
  implements AsyncIterable<ChannelMessage<Data>>
{
  async *[Symbol.asyncIterator](): AsyncGenerator<ChannelMessage<Data>, void, undefined> {
    yield* await this.opening;
  }
}

/** What `bus.serve()` returns at once. */
export class PendingServer<Data = unknown>
  extends PendingChannel<SocketServer<Data>>
  implements AsyncIterable<SocketMessage<Data>>
{
  async *[Symbol.asyncIterator](): AsyncGenerator<SocketMessage<Data>, void, undefined> {
    yield* await this.opening;
  }

  async drain(options?: DrainOptions): Promise<void> {
    await (await this.opening).drain(options);
  }

  async close(): Promise<void> {
    await (await this.opening).close();
  }
}

/** What `bus.connect()` returns at once. */
export class PendingClient<Data = unknown>
  extends PendingChannel<SocketClient<Data>>
  implements AsyncIterable<ChannelMessage<Data>>
{
  async call<Reply = unknown>(data?: unknown, options?: CallOptions): Promise<Answer<Reply>> {
    return (await this.opening).call<Reply>(data, options);
  }

  async send(data: unknown, options?: SendOptions): Promise<Sent> {
    return (await this.opening).send(data, options);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ChannelMessage<Data>, void, undefined> {
    yield* await this.opening;
  }

  async drain(options?: DrainOptions): Promise<void> {
    await (await this.opening).drain(options);
  }

  async close(): Promise<void> {
    await (await this.opening).close();
  }
}
