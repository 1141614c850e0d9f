import {
  BusError,
  failureText,
  isThenable,
  thrownText,
  type ChannelHost,
  type CompleteServeOptions,
  type ServeHandler,
  type SocketMessage,
} from "@agentbus/core";
import type { ServedMessage } from "./served-message.js";
import type { Session } from "./session.js";
import { Turns } from "./turns.js";

export interface HandlingParts<Data> {
  readonly host: ChannelHost;
  /** For people: "@codebot/search". */
  readonly address: string;
  readonly options: CompleteServeOptions;
  readonly handler: ServeHandler<Data>;
  /** A handler is called. */
  readonly onBegin: () => void;
  /** Nothing is in work any more. */
  readonly onIdle: () => void;
}

/** Gives what comes to the handler of a server, each in its turn, and sends back what becomes of it. */
export class Handling<Data> {
  readonly #parts: HandlingParts<Data>;
  readonly #turns: Turns;
  /** Messages whose handlers have not finished, or not begun. */
  #inWork = 0;

  constructor(parts: HandlingParts<Data>) {
    this.#parts = parts;
    this.#turns = new Turns(parts.options.concurrency, parts.options.concurrencyPerUser);
  }

  get isIdle(): boolean {
    return this.#inWork === 0;
  }

  /** @param onConsumed called when there is room for another message like it */
  add(message: ServedMessage<Data>, session: Session, onConsumed: () => void): void {
    this.#inWork++;
    this.#waitForTurn(message, session, onConsumed);
  }

  #waitForTurn(message: ServedMessage<Data>, session: Session, onConsumed: () => void): void {
    this.#turns.take(session.account.line, {
      start: (done) => {
        const { connection } = session;
        if (connection.isCongested) {
          // Its answer would only lie with those that this client does not take. Others have the turn meanwhile.
          void connection.whenClear().then(() => this.#waitForTurn(message, session, onConsumed));
          return queueMicrotask(done);
        }
        // A call keeps its place until it is handled, a message until there shall be the next.
        if (message.isCall) onConsumed();
        this.#run(message, session, () => {
          if (!message.isCall) onConsumed();
          done();
          if (--this.#inWork === 0) this.#parts.onIdle();
        });
      },
    });
  }

  #run(message: ServedMessage<Data>, session: Session, done: () => void): void {
    // Whoever asked has gone while it waited for its turn.
    if (message.isAborted) return done();
    const { host, handler, onBegin } = this.#parts;
    onBegin();
    const endInTime = this.#limit(message);
    const finish = () => {
      endInTime?.();
      done();
    };
    const succeed = (value: unknown) => {
      if (message.isCall) message.reply(value);
      const streaming = session.calls.whenAnswered(message);
      if (streaming === undefined) finish();
      else void streaming.then(finish);
    };
    const fail = (error: unknown) => {
      if (message.isCall) message.fail(failureText(error));
      else this.#tell(error, message);
      finish();
    };
    let result: unknown;
    try {
      result = host.runBecauseOf(message, () => handler(message));
    } catch (error) {
      return fail(error);
    }
    if (isThenable(result)) Promise.resolve(result).then(succeed, fail);
    else succeed(result);
  }

  /** @returns what takes the limit back */
  #limit(message: ServedMessage<Data>): (() => void) | undefined {
    const { address, options } = this.#parts;
    const { timeoutMs } = options;
    if (timeoutMs === undefined || !message.isCall) return undefined;
    const timer = setTimeout(() => {
      message.fail(`it took longer than ${timeoutMs} ms`);
      message.abort(new BusError("ERR_TIMEOUT", `a call of ${address} took longer than ${timeoutMs} ms`));
    }, timeoutMs);
    return () => clearTimeout(timer);
  }

  #tell(error: unknown, message: SocketMessage): void {
    const { address, options } = this.#parts;
    let why = error;
    try {
      if (options.onError !== undefined) return options.onError(error, message);
    } catch (another) {
      why = another;
    }
    process.emitWarning(`the handler of ${address} failed: ${thrownText(why)}`, "AgentbusWarning");
  }
}
