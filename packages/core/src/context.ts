import { AsyncLocalStorage } from "node:async_hooks";

/** What a message hands on to the messages that are published because of it. */
export interface Cause {
  readonly id: string;
  readonly correlationId: string;
  readonly hops: number;
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

/**
 * The message being handled, carried through everything that its handler awaits, so that what it publishes names its cause
 * and counts its hops without the handler's help. One store per process: a message of one bus may well lead to a publish on another.
 */
const handling = new AsyncLocalStorage<Cause>();

export function runBecauseOf<T>(cause: Cause, action: () => T): T {
  return handling.run(cause, action);
}

export function currentCause(): Cause | undefined {
  return handling.getStore();
}
