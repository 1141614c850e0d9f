import type { BenchEnvelope, Payload } from "../envelope.js";

/**
 * One way to hand an envelope to another process: ours, or a peer. Each method but `start` runs in the process of one end.
 *
 * To add a peer, write a file in `transports/` and name it in `index.ts`.
 */
export interface Transport {
  readonly name: string;
  /** What it is, with everything that a reader needs to judge its numbers. */
  readonly description: string;
  /** False where messages of one publisher may overtake each other; then that is counted, but no failure. */
  readonly keepsOrder: boolean;
  /** Prepares an empty directory for both ends; a peer starts its server here. @returns what stops it */
  start(dir: string): Promise<() => Promise<void>>;
  /** Resolves once everything that is sent from then on arrives. A message is acknowledged when `onEnvelope` returns. */
  receive(dir: string, onEnvelope: (envelope: BenchEnvelope) => void): Promise<End>;
  send(dir: string): Promise<SendingEnd>;
}

export interface End {
  close(): Promise<void>;
}

export interface SendingEnd extends End {
  /** Hands an envelope with this payload over. The promise, if there is one, resolves when the transport has accepted it. */
  send(payload: Payload): void | Promise<unknown>;
}
