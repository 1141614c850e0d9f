import {
  BusError,
  PassingMessage,
  type Envelope,
  type Sender,
  type SocketMessage,
  type SocketPeer,
} from "@agentbus/core";

/** What a message needs of the connection that it came through. */
export interface MessageHost {
  readonly sender: Sender;
  readonly peer: SocketPeer;
  /** Answers call `call`. @throws what cannot be sent */
  answer(message: ServedMessage, data: unknown): void;
  refuse(message: ServedMessage, reason: string): void;
}

/** A call or a message as its handler sees it. */
export class ServedMessage<Data = unknown> extends PassingMessage<Data> implements SocketMessage<Data> {
  /** Its number; 0 of a message that wants no answer. */
  readonly call: number;
  readonly #host: MessageHost;
  #abort: AbortController | undefined;
  #abortReason: Error | undefined;
  #isAnswered = false;

  /** @param stream its data, where that is one */
  constructor(envelope: Envelope, call: number, host: MessageHost, stream?: AsyncIterable<unknown>) {
    super(envelope, host.sender);
    if (stream !== undefined) (this as { data: unknown }).data = stream;
    this.call = call;
    this.#host = host;
  }

  get isCall(): boolean {
    return this.call !== 0;
  }

  get peer(): SocketPeer {
    return this.#host.peer;
  }

  /** Made when somebody looks at it: most handlers do not. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#abortReason !== undefined) this.#abort.abort(this.#abortReason);
    }
    return this.#abort.signal;
  }

  /** Whether nobody waits for its answer any more, or ever did. */
  get isAnswered(): boolean {
    return this.#isAnswered || !this.isCall;
  }

  get isAborted(): boolean {
    return this.#abortReason !== undefined;
  }

  reply(data: unknown): void {
    if (this.isAnswered) return;
    this.#isAnswered = true;
    this.#host.answer(this, data);
  }

  fail(reason: string): void {
    if (this.isAnswered) return;
    this.#isAnswered = true;
    this.#host.refuse(this, reason);
  }

  /** Whoever asked has given up. */
  abort(reason: Error): void {
    if (this.#abortReason !== undefined) return;
    this.#abortReason = reason;
    this.#isAnswered = true;
    this.#abort?.abort(reason);
  }
}

export function cancelled(why: string): BusError {
  return new BusError("ERR_CLOSED", `nobody waits for this answer any more: ${why}`);
}
