import {
  Refusals,
  type BusError,
  type ChannelCounters,
  type ChannelHost,
  type ChannelMessage,
  type ChannelStatistics,
  type DrainOptions,
  type PipeHandler,
  type Pipes,
  type PipesOptions,
} from "@agentbus/core";
import { PIPE_CAPABILITIES, SERVICE } from "../capabilities.js";
import { HandlerRunner } from "./handler-runner.js";
import type { IncomingPipe } from "./incoming-pipe.js";
import { Intake } from "./intake.js";
import { IN_A_ROW, MessageSource } from "./message-source.js";

const DEFAULTS = Object.freeze({ concurrency: 1, maxPipesPerSender: 8 });
const DRAIN_MS = 30_000;

/**
 * The receiving end of all pipes to this account: either iterated, or read by a handler.
 *
 * Little is taken out of a pipe before somebody wants it: a slow reader fills the pipes, and then their senders wait.
 */
export class PipeReceiver<Data> implements Pipes<Data> {
  readonly capabilities = PIPE_CAPABILITIES;
  readonly isReceiving = true;
  readonly stats: ChannelStatistics = { delivered: 0, refused: {}, expired: 0 };
  readonly done: Promise<void>;
  readonly #host: ChannelHost;
  readonly #options: PipesOptions;
  readonly #source: MessageSource<Data>;
  readonly #intake: Intake;
  readonly #counters: ChannelCounters;
  readonly #forget: () => void;
  readonly #onAbort = () => void this.close();
  #unlock: (() => Promise<void>) | undefined;
  /** Iterations that wait for a message. */
  #waiting: ((result: IteratorResult<ChannelMessage<Data>, undefined>) => void)[] = [];
  #handlers: HandlerRunner<Data> | undefined;
  #handed = 0;
  #isPumping = false;
  #isPumpDue = false;
  #reading: "nobody" | "iterator" | "handler" = "nobody";
  #isDraining = false;
  #closed: Promise<void> | undefined;
  /** Why no more can be received. */
  #failure: BusError | undefined;
  #onIdle: (() => void)[] = [];
  #finish!: () => void;
  #fail!: (error: unknown) => void;

  /** @throws BusError ERR_SQUATTED, ERR_ACCESS */
  constructor(host: ChannelHost, options: PipesOptions) {
    this.#host = host;
    this.#options = options;
    const refusals = new Refusals(this.stats, "the receiver of pipes", options.onRefused);
    const maxPerSender = options.maxPipesPerSender ?? DEFAULTS.maxPipesPerSender;
    this.#counters = host.show({ kind: "pipe", role: "receiver", peer: null });
    this.#source = new MessageSource(this.stats, this.#counters, refusals, {
      onFinished: (pipe) => this.#intake.forget(pipe),
      onMore: () => this.#pumpSoon(),
    });
    this.#intake = new Intake(
      host,
      maxPerSender,
      (refusal) => {
        this.#counters.refused++;
        refusals.add(refusal);
      },
      { onReady: (pipe) => this.#onReady(pipe) },
    );
    this.#forget = host.keep(this);
    options.signal?.addEventListener("abort", this.#onAbort);
    this.done = new Promise((resolve, reject) => {
      this.#finish = resolve;
      this.#fail = reject;
    });
    // Whoever does not look at it has the warning.
    this.done.catch(() => undefined);
  }

  /** @throws BusError ERR_BUSY, ERR_ACCESS, ERR_TOO_MANY_FILES */
  async open(): Promise<void> {
    this.#unlock = await this.#host.serveAlone(SERVICE, "receive pipes", (error) => this.#break(error));
    await this.#intake.start();
  }

  handle(handler: PipeHandler<Data>): void {
    this.#claimReader("handler");
    const { concurrency = DEFAULTS.concurrency, onError } = this.#options;
    this.#handlers = new HandlerRunner(this.#host, handler, concurrency, onError, () => this.#pump());
    this.#pump();
  }

  [Symbol.asyncIterator](): AsyncIterator<ChannelMessage<Data>, undefined> {
    this.#claimReader("iterator");
    return {
      next: () => {
        const message = this.#closed === undefined ? this.#source.next() : undefined;
        if (this.#isDrained) this.#endDrain();
        if (message !== undefined) return this.#hand(message);
        if (this.#closed !== undefined || this.#isDrained) return Promise.resolve({ done: true, value: undefined });
        return new Promise((resolve) => this.#waiting.push(resolve));
      },
      return: async () => {
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }

  /** What a sender has put into a pipe and this has not read yet stays its sender's, who sends it again. */
  async drain(options: DrainOptions = {}): Promise<void> {
    this.#isDraining = true;
    this.#intake.stop();
    for (const pipe of this.#intake.pipes) pipe.stop();
    this.#pump();
    if (!this.#isDrained && this.#reading !== "nobody") {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, options.timeoutMs ?? DRAIN_MS);
        this.#onIdle.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    await this.close();
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  #onReady(pipe: IncomingPipe): void {
    if (this.#closed !== undefined) return;
    if (pipe.isReady) this.#source.add(pipe);
    else if (pipe.isFinished) this.#intake.forget(pipe);
    this.#pump();
  }

  /** Hands on what is there, as far as somebody wants it. */
  #pump(): void {
    // A handler that is done at once would call this from within.
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      let inARow = 0;
      for (let message; this.#isWanted && (message = this.#source.next()) !== undefined;) {
        const resolve = this.#waiting.shift();
        if (resolve !== undefined) resolve({ done: false, value: message });
        else this.#handlers?.run(message);
        if (++inARow === IN_A_ROW) {
          this.#pumpSoon();
          break;
        }
      }
    } finally {
      this.#isPumping = false;
    }
    if (this.#isDrained) this.#endDrain();
  }

  #endDrain(): void {
    for (const resolve of this.#waiting.splice(0)) resolve({ done: true, value: undefined });
    for (const wake of this.#onIdle.splice(0)) wake();
  }

  #pumpSoon(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    setImmediate(() => {
      this.#isPumpDue = false;
      this.#pump();
    });
  }

  /** To an iterator. Whoever takes one message after another gives the event loop a turn now and then, and others' pipes are read. */
  #hand(message: ChannelMessage<Data>): Promise<IteratorResult<ChannelMessage<Data>, undefined>> {
    const result = { done: false, value: message } as const;
    if (++this.#handed % IN_A_ROW !== 0) return Promise.resolve(result);
    return new Promise((resolve) => setImmediate(resolve, result));
  }

  get #isWanted(): boolean {
    if (this.#closed !== undefined) return false;
    return this.#handlers?.isFree ?? this.#waiting.length > 0;
  }

  get #isDrained(): boolean {
    return this.#isDraining && this.#source.isEmpty && this.#handlers?.isIdle !== false && this.#allTaken;
  }

  get #allTaken(): boolean {
    for (const pipe of this.#intake.pipes) if (!pipe.isEmpty) return false;
    return true;
  }

  #break(error: BusError): void {
    process.emitWarning(`no more pipes are received: ${error.message}`, "AgentbusWarning");
    this.#failure = error;
    void this.close();
  }

  async #close(): Promise<void> {
    this.#isDraining = true;
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#intake.stop();
    for (const pipe of this.#intake.pipes) {
      this.#source.remove(pipe);
      pipe.close();
    }
    this.#endDrain();
    this.#forget();
    this.#counters.close();
    await this.#unlock?.();
    if (this.#failure === undefined) this.#finish();
    else this.#fail(this.#failure);
  }

  #claimReader(reader: "iterator" | "handler"): void {
    if (this.#reading !== "nobody")
      throw new TypeError(`the pipes have ${this.#reading === "iterator" ? "an iterator" : "a handler"} already`);
    this.#reading = reader;
  }
}
