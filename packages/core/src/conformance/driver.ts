import type { ChannelCapabilities, ChannelRefusal, ReceivingEnd, SendingEnd } from "../channel/channel.js";

/** What the conformance suite needs to put an implementation of channels to the test. */
export interface ChannelDriver {
  /** For the names of the tests. */
  readonly name: string;
  readonly capabilities: ChannelCapabilities;
  /** Why it cannot be tested here; the tests are skipped then. */
  readonly skip?: string | undefined;
  /** A new place with nothing in it, where this account can send to itself. */
  open(): Promise<ChannelArena>;
}

/** One receiver's place, and those who send to it. */
export interface ChannelArena {
  /** Bytes of an envelope, at most. */
  readonly maxEnvelopeBytes: number;
  /** The account that sends and receives. */
  readonly user: string;
  readonly uid: number;
  /** Opens the receiving end in this process. One at a time. */
  receive(options?: ArenaReceiveOptions): Promise<ReceivingEnd>;
  /** Opens a sending end that shares nothing with the others. */
  send(): Promise<SendingEnd>;
  /** A sender that keeps to no rules. */
  intruder(): Promise<Intruder>;
  /** Opens the receiving end in a process of its own. */
  receiveElsewhere(): Promise<ReceiverProcess>;
  close(): Promise<void>;
}

export interface ArenaReceiveOptions {
  readonly onRefused?: (refusal: Pick<ChannelRefusal, "reason" | "detail">) => void;
  readonly signal?: AbortSignal;
}

export interface Intruder {
  /**
   * Sends each of these as what should be an envelope, framed as the channel frames.
   * @param payloads without newlines @returns how many refusals that makes, which it may be cut off before
   */
  send(payloads: readonly Buffer[]): Promise<number>;
  /** Sends the beginning of a frame and is gone. @returns how many refusals that makes */
  dieWithin(payload: Buffer): Promise<number>;
}

export interface ReceiverProcess {
  /** The data of what it has received so far, in order. */
  readonly received: readonly unknown[];
  /** SIGKILL. */
  kill(): Promise<void>;
}
