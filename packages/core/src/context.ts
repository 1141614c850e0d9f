import { AsyncLocalStorage } from "node:async_hooks";
import { BusError } from "./errors.js";

/** What a message hands on to the messages that are published because of it. */
export interface Cause {
  readonly id: string;
  readonly correlationId: string;
  readonly hops: number;
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

/** The variable that hands a cause to the programs that a handler starts. */
const CAUSE_VARIABLE = "AGENTBUS_CAUSE";

/**
 * The message being handled, carried through everything that its handler awaits, so that what it publishes names its cause
 * and counts its hops without the handler's help. One store per process: a message of one bus may well lead to a publish on another.
 */
const handling = new AsyncLocalStorage<Causing>();

/** What can say what it hands on, should anybody ask. */
interface Causing {
  readonly cause: Cause;
}

/** Calls `action` with this argument; what is published in it, or in what it awaits, was caused by `causing`. */
export function runBecauseOf<Argument, Result>(
  causing: Causing,
  action: (argument: Argument) => Result,
  argument: Argument,
): Result {
  return handling.run(causing, action, argument);
}

export function currentCause(): Cause | undefined {
  return handling.getStore()?.cause;
}

/** The environment of a program that runs because of a message: what it publishes then follows from that message too. */
export function environmentOf(cause: Cause): Record<string, string> {
  return { [CAUSE_VARIABLE]: JSON.stringify(cause) };
}

/**
 * The message that this whole process runs because of.
 * @throws BusError ERR_ENVELOPE_INVALID: taking it for absent would undo the guard against endless loops
 */
export function causeInEnvironment(env: NodeJS.ProcessEnv): Cause | undefined {
  const text = env[CAUSE_VARIABLE];
  if (text === undefined || text === "") return undefined;
  const cause = parse(text);
  if (isCause(cause)) return cause;
  throw new BusError(
    "ERR_ENVELOPE_INVALID",
    `cannot use ${CAUSE_VARIABLE}: it is not what agentbus gives to a command`,
    {
      fix: `unset ${CAUSE_VARIABLE}`,
    },
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isCause(value: unknown): value is Cause {
  const { id, correlationId, hops, traceparent, tracestate } = (value ?? {}) as Partial<Record<keyof Cause, unknown>>;
  const isTextOrAbsent = (text: unknown) => text === undefined || typeof text === "string";
  const areTexts = typeof id === "string" && typeof correlationId === "string";
  return areTexts && Number.isInteger(hops) && (hops as number) >= 0 && [traceparent, tracestate].every(isTextOrAbsent);
}
