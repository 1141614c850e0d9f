import { MAX_TIMER_MS, refuseUnknownOptions, requireInteger, requireOneOf } from "../options.js";
import type { ChannelMessage, ChannelRefusal, ReceivingEnd, SendingEnd } from "./channel.js";
import type { ChannelHost } from "./host.js";

export interface PipeOptions {
  /**
   * What becomes of messages while nobody receives: "wait" holds `send()` back until somebody does, "fail" has it throw ERR_NO_PEER,
   * and "spool" publishes to the receiver's inbox instead, where the message survives. @default "wait"
   */
  readonly fallback?: PipeFallback | undefined;
  /** How long a message waits for a receiver, or for room, in milliseconds; then ERR_TIMEOUT. @default for ever */
  readonly timeoutMs?: number | undefined;
  /** Closes the pipe. */
  readonly signal?: AbortSignal | undefined;
}

export type PipeFallback = "wait" | "fail" | "spool";

/** A pipe to one agent: the end that messages go into. */
export interface Pipe extends SendingEnd {
  /** `@user`. */
  readonly to: string;
  /** Whether messages go through the pipe at the moment, or wait, or go by the spool. */
  readonly state: "connected" | "waiting" | "spooling" | "closed";
  readonly stats: Readonly<PipeStatistics>;
}

export interface PipeStatistics {
  /** Put into the pipe. */
  sent: number;
  /** Of those, bytes. */
  bytes: number;
  /** Published to the inbox instead. */
  spooled: number;
  /** Times that a receiver took the pipe up. */
  connections: number;
}

export interface PipesOptions {
  /** Told of everything that came and was not delivered. @default a warning for the first of each sender and reason */
  readonly onRefused?: ((refusal: ChannelRefusal) => void) | undefined;
  /** With a handler: how many messages are handled at a time. Over 1, no order is kept. @default 1 */
  readonly concurrency?: number | undefined;
  /** With a handler: told when it throws or rejects. The message is gone. @default a warning */
  readonly onError?: ((error: unknown, message: ChannelMessage) => void) | undefined;
  /** Pipes of one account that are read at a time; further ones wait. @default 8 */
  readonly maxPipesPerSender?: number | undefined;
  /** Closes the receiving end. */
  readonly signal?: AbortSignal | undefined;
}

/** All pipes to this account: the end that messages come out of. */
export interface Pipes<Data = unknown> extends ReceivingEnd<Data> {
  /** Resolves when it is closed; rejects when it cannot go on. */
  readonly done: Promise<void>;
}

export type PipeHandler<Data = unknown> = (message: ChannelMessage<Data>) => unknown;

/** What `@agentbus/pipe` offers to a bus. */
export interface PipePackage {
  /** @throws TypeError, BusError ERR_ADDRESS_UNKNOWN, ERR_ACCESS, ERR_SQUATTED, ERR_BARRED … */
  openPipe(host: ChannelHost, address: string, options: PipeOptions): Promise<Pipe>;
  /** @throws TypeError, BusError ERR_BUSY, ERR_ACCESS, ERR_SQUATTED, ERR_BARRED … */
  openPipes<Data>(
    host: ChannelHost,
    options: PipesOptions,
    handler: PipeHandler<Data> | undefined,
  ): Promise<Pipes<Data>>;
}

// prettier-ignore
const PIPE_OPTIONS: ReadonlySet<string> = new Set(["fallback", "timeoutMs", "signal"] satisfies (keyof PipeOptions)[]);
const PIPES_OPTIONS: ReadonlySet<string> = new Set([
  "onRefused",
  "concurrency",
  "onError",
  "maxPipesPerSender",
  "signal",
] satisfies (keyof PipesOptions)[]);

/** @throws TypeError for what cannot be, or is not known */
export function checkPipeOptions(options: PipeOptions): void {
  refuseUnknownOptions("pipe", options, PIPE_OPTIONS);
  requireOneOf("fallback", options.fallback, ["wait", "fail", "spool"]);
  requireInteger("timeoutMs", options.timeoutMs, 1, MAX_TIMER_MS);
}

/** @throws TypeError for what cannot be, or is not known */
export function checkPipesOptions(options: PipesOptions): void {
  refuseUnknownOptions("pipes", options, PIPES_OPTIONS);
  requireInteger("concurrency", options.concurrency, 1, 10_000);
  requireInteger("maxPipesPerSender", options.maxPipesPerSender, 1, 1_000);
}
