import {
  isThenable,
  thrownText,
  type ChannelHost,
  type ChannelMessage,
  type PipeHandler,
  type PipesOptions,
} from "@agentbus/core";

/** Runs a handler for one message after another, or for several at a time. Its failures are its messages', and reported. */
export class HandlerRunner<Data> {
  readonly #host: ChannelHost;
  readonly #handler: PipeHandler<Data>;
  readonly #concurrency: number;
  readonly #onError: PipesOptions["onError"];
  readonly #onFree: () => void;
  #running = 0;

  /** @param onFree called when a handler that took its time is done */
  constructor(
    host: ChannelHost,
    handler: PipeHandler<Data>,
    concurrency: number,
    onError: PipesOptions["onError"],
    onFree: () => void,
  ) {
    this.#host = host;
    this.#handler = handler;
    this.#concurrency = concurrency;
    this.#onError = onError;
    this.#onFree = onFree;
  }

  get isFree(): boolean {
    return this.#running < this.#concurrency;
  }

  get isIdle(): boolean {
    return this.#running === 0;
  }

  /** Never throws because of the handler. */
  run(message: ChannelMessage<Data>): void {
    let result: unknown;
    try {
      result = this.#host.runBecauseOf(message, () => this.#handler(message));
    } catch (error) {
      return this.#report(error, message);
    }
    if (!isThenable(result)) return;
    this.#running++;
    const finish = () => {
      this.#running--;
      this.#onFree();
    };
    Promise.resolve(result)
      .catch((error: unknown) => this.#report(error, message))
      .finally(finish)
      .catch(() => undefined);
  }

  #report(error: unknown, message: ChannelMessage<Data>): void {
    let why = error;
    try {
      if (this.#onError !== undefined) return this.#onError(error, message);
    } catch (another) {
      why = another;
    }
    process.emitWarning(
      `the handler of pipes failed on ${message.topic} ${message.id}: ${thrownText(why)}`,
      "AgentbusWarning",
    );
  }
}
