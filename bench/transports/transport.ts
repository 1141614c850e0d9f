import type { BenchEnvelope, Payload } from "../envelope.js";
import type { Leftovers } from "../leftovers.js";

/**
 * What an accepted message survives. "nothing": its receiver has to be there. "memory": the death of both ends, but not of the
 * server that holds it. "process": the death of every process, because the kernel has it. "disk": a power cut too.
 */
export type Durability = "nothing" | "memory" | "process" | "disk";

/**
 * One way to hand an envelope to another process: ours, or a peer driven by its own best client. `missing` and `start` run in
 * the bench, every other method in the process of one end.
 *
 * To add a peer, write a file in `transports/` and name it in `index.ts`.
 */
export interface Transport {
  readonly name: string;
  /** What it is, with everything that a reader needs to judge its numbers. */
  readonly description: string;
  /** With `isDurable`, it is "disk", or what `start` says. */
  readonly durability: Durability;
  /** False where messages of one publisher may overtake each other; then that is counted, but no failure. */
  readonly keepsOrder: boolean;
  /** It tells a publisher that a message is accepted: by the promise of `send`, its return, or that of `flush`. */
  readonly acknowledges: boolean;
  /** Any number of subscriptions receive every message, each at its own speed. */
  readonly fansOut: boolean;
  /** It can be told to accept a message only once it is on the disk. */
  readonly reachesDisk: boolean;
  /** Its ends look for messages all the time, so others are not measured while they are there. @default false */
  readonly pollsAtRest?: boolean;
  /** @returns the command that installs what it needs and this machine does not have */
  missing(): Promise<string | undefined>;
  /** Prepares an empty directory for both ends; a peer starts its server here. */
  start(place: Place, leftovers: Leftovers): Promise<Started>;
  /** Resolves once everything that is sent from then on arrives. A message is acknowledged when `onEnvelope` returns. */
  receive(place: Place, onEnvelope: OnEnvelope, subscription: number): Promise<End>;
  send(place: Place): Promise<SendingEnd>;
  /** Answers requests with their own data. */
  respond?(place: Place): Promise<End>;
  request?(place: Place): Promise<RequestingEnd>;
}

export type OnEnvelope = (envelope: BenchEnvelope) => void;

export interface Place {
  readonly dir: string;
  /** Accepted has to mean: on the disk. */
  readonly isDurable: boolean;
  /** A Unix group whose members are the ends, when they run under accounts of their own. */
  readonly group?: string | undefined;
}

export interface Started {
  stop(): Promise<void>;
  /** Where this server cannot do what was asked. */
  readonly durability?: Durability;
  /** What a reader of the numbers has to know besides. */
  readonly note?: string;
}

export interface End {
  close(): Promise<void>;
}

export interface SendingEnd extends End {
  /** Hands an envelope with this payload over. The promise, if there is one, resolves when the transport has accepted it. */
  send(payload: Payload): void | Promise<unknown>;
  /** Where `send` returns nothing and that does not mean accepted: resolves when all that was sent is. */
  flush?(): Promise<unknown>;
}

export interface RequestingEnd extends End {
  /** @returns the data of the answer */
  request(payload: Payload): Promise<Payload>;
}

/** For transports that start nothing. */
export const NOTHING_STARTED: Started = { stop: async () => undefined };
