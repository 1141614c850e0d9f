import type { Cause } from "../context.js";
import type { Envelope, EnvelopeOptions } from "../envelope.js";
import type { Sender } from "../deliver/judge.js";
import type { RefusalReason } from "../deliver/refusal.js";
import type { DrainOptions } from "../subscribe/subscription.js";

/**
 * The contract of everything that carries messages between two accounts: the spool, a pipe, a socket. One end takes messages with
 * `send()`, the other hands them out with `for await`; both are closed alike, and the conformance suite (`@agentbus/core/conformance`)
 * holds every implementation to what it declares here.
 */
export interface ChannelCapabilities {
  /** What `send()` has accepted survives the death of both processes. */
  readonly durable: boolean;
  /** `send()` waits while the receiver is slow, and nothing piles up meanwhile. */
  readonly backpressure: boolean;
  /** The receiver can answer on the same channel. */
  readonly bidirectional: boolean;
  /** How the kernel vouches for the sender: by the owner of the inode, or by the credentials of the connection. */
  readonly identity: "inode" | "credentials";
}

/** The end that messages go into. */
export interface SendingEnd extends AsyncDisposable {
  readonly capabilities: ChannelCapabilities;
  /**
   * Resolves when the channel has the message: in the order of the calls, and for a channel with backpressure no sooner than there is
   * room for it.
   * @throws BusError ERR_TOO_LARGE, ERR_ENVELOPE_INVALID, ERR_SCHEMA, ERR_HOPS, ERR_NO_PEER, ERR_TIMEOUT, ERR_BACKLOG (too many
   * that nobody awaits), ERR_CLOSED; the signal's reason
   */
  send(data: unknown, options?: SendOptions): Promise<Sent>;
  /** Refuses further messages, waits for those that were handed in, and closes. */
  drain(options?: DrainOptions): Promise<void>;
  /** Closes now: what is not in the channel yet is refused with ERR_CLOSED, and never delivered. */
  close(): Promise<void>;
}

export interface SendOptions extends EnvelopeOptions {
  /** @default "direct" */
  readonly topic?: string | undefined;
  /** The message that led to this one, where it is not sent inside that message's handler. */
  readonly cause?: { readonly cause: Cause } | undefined;
  /** Takes the message back while it waits for room. */
  readonly signal?: AbortSignal | undefined;
}

export interface Sent {
  readonly id: string;
}

/** The end that messages come out of. Leaving the loop closes it. */
export interface ReceivingEnd<Data = unknown> extends AsyncIterable<ChannelMessage<Data>>, AsyncDisposable {
  readonly capabilities: ChannelCapabilities;
  /** Counters since it was opened; live. */
  readonly stats: Readonly<ChannelStatistics>;
  /** Takes in nothing more, hands out what has come in, and closes. */
  drain(options?: DrainOptions): Promise<void>;
  /** Closes now. */
  close(): Promise<void>;
}

export interface ChannelStatistics {
  /** Handed out. */
  delivered: number;
  /** Not delivered, by reason. */
  refused: Record<string, number>;
  /** Dropped, because their time was over. */
  expired: number;
}

/** A message as it comes out of any channel. */
export interface ChannelMessage<Data = unknown> {
  readonly id: string;
  readonly topic: string;
  readonly type: string;
  /** When it was sent, by the sender's word. */
  readonly time: Date;
  /** Binary data is decoded to a Buffer. */
  readonly data: Data;
  readonly envelope: Envelope<Data>;
  /** The account that sent it: not what the envelope says, what the kernel says. */
  readonly sender: Sender;
  /** What a message sent because of this one carries on: `{ cause: message }`. */
  readonly cause: Cause;
  /** Done with it. In a durable channel this removes the message; in the others nothing is kept, and nothing happens. */
  ack(): Promise<void>;
}

/** Why something that came through a channel was not delivered; docs/errors.md explains each. */
export type ChannelRefusalReason =
  | RefusalReason
  /** The sender was gone in the middle of a frame. */
  | "truncated"
  /** The peer does not speak the channel's protocol. */
  | "bad-frame"
  /** The peer's account is not among those that are served. */
  | "not-allowed"
  /** The peer has as many channels open as one account may. */
  | "too-many";

export interface ChannelRefusal {
  readonly reason: ChannelRefusalReason;
  /** For people: bounded, printable ASCII. */
  readonly detail: string;
  /** By the kernel; absent when that could not be seen. */
  readonly sender?: Sender | undefined;
}
