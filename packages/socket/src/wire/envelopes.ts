import type { ChannelRefusalReason, EnvelopeReader, Verdict } from "@agentbus/core";
import type { Connection, ConnectionOwner } from "./connection.js";

export interface EnvelopesOwner extends Pick<ConnectionOwner, "onBadFrame"> {
  onRefused(reason: ChannelRefusalReason, detail: string): void;
  onExpired(): void;
}

/** The envelopes that come through a connection: each is judged before anybody is told of it, and in order. */
export class Envelopes {
  readonly #reader: EnvelopeReader;
  readonly #connection: Connection;
  readonly #owner: EnvelopesOwner;

  constructor(reader: EnvelopeReader, connection: Connection, owner: EnvelopesOwner) {
    this.#reader = reader;
    this.#connection = connection;
    this.#owner = owner;
  }

  /** @returns the verdict, unless it comes later because a schema has to be read first: what follows waits then */
  judge(text: string, start: number, end: number, use: (verdict: Verdict) => void): Verdict | undefined {
    const judged = this.#reader.read(text, start, end);
    if (judged === undefined) {
      this.#owner.onBadFrame("bad-frame", "an envelope is missing");
      return undefined;
    }
    if (judged instanceof Promise) {
      this.#connection.wait(judged.then((verdict) => this.#tell(verdict, use)));
      return undefined;
    }
    this.#tell(judged, use);
    return judged;
  }

  #tell(verdict: Verdict, use: (verdict: Verdict) => void): void {
    if (verdict.kind === "refuse") this.#owner.onRefused(verdict.reason, verdict.detail);
    else if (verdict.kind === "expired") this.#owner.onExpired();
    use(verdict);
  }
}
