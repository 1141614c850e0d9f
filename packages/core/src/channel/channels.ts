import { runAll } from "../run-all.js";
import type { DrainOptions } from "../subscribe/subscription.js";
import type { ClosableChannel, ChannelHost } from "./host.js";
import { loadPipePackage, loadSocketPackage } from "./packages.js";
import {
  checkPipeOptions,
  checkPipesOptions,
  type Pipe,
  type PipeHandler,
  type PipeOptions,
  type Pipes,
  type PipesOptions,
} from "./pipe.js";
import {
  completeConnectOptions,
  completeServeOptions,
  type ConnectOptions,
  type ServeHandler,
  type ServeOptions,
  type SocketClient,
  type SocketServer,
} from "./socket.js";

/** The channels of one bus: opens them by the packages that know how, and ends them with the bus. */
export class Channels {
  readonly #host: ChannelHost;
  readonly #open: ReadonlySet<ClosableChannel>;
  readonly #release: () => Promise<void>;

  /** @param open those that the host keeps @param release lets go of what the host holds */
  constructor(host: ChannelHost, open: ReadonlySet<ClosableChannel>, release: () => Promise<void>) {
    this.#host = host;
    this.#open = open;
    this.#release = release;
  }

  async pipe(address: string, options: PipeOptions): Promise<Pipe> {
    checkPipeOptions(options);
    options.signal?.throwIfAborted();
    return (await loadPipePackage()).openPipe(this.#host, address, options);
  }

  async pipes<Data>(options: PipesOptions, handler: PipeHandler<Data> | undefined): Promise<Pipes<Data>> {
    checkPipesOptions(options);
    options.signal?.throwIfAborted();
    this.#host.requireNotBarred("pipes");
    return (await loadPipePackage()).openPipes<Data>(this.#host, options, handler);
  }

  async serve<Data>(
    name: string,
    options: ServeOptions,
    handler: ServeHandler<Data> | undefined,
  ): Promise<SocketServer<Data>> {
    const complete = completeServeOptions(options);
    options.signal?.throwIfAborted();
    this.#host.requireNotBarred("sockets");
    return (await loadSocketPackage()).openServer<Data>(this.#host, name, complete, handler);
  }

  /** @param closing aborted when the bus begins to close: that waits for what is being opened, which shall not wait for a server then */
  async connect<Data>(address: string, options: ConnectOptions, closing?: AbortSignal): Promise<SocketClient<Data>> {
    const complete = completeConnectOptions(options);
    options.signal?.throwIfAborted();
    this.#host.requireNotBarred("sockets");
    return (await loadSocketPackage()).openClient<Data>(this.#host, address, { ...complete, closing });
  }

  /** Lets what comes in be handled; what handlers send can still be sent. */
  async drainReceiving(options: DrainOptions): Promise<void> {
    const receiving = [...this.#open].filter(({ isReceiving }) => isReceiving === true);
    await Promise.all(receiving.map((channel) => channel.drain(options)));
  }

  async drain(options: DrainOptions): Promise<void> {
    await Promise.all([...this.#open].map((channel) => channel.drain(options)));
  }

  async close(): Promise<void> {
    await runAll([...[...this.#open].map((channel) => () => channel.close()), this.#release]);
  }
}
