import type { Cause } from "../context.js";
import type { Sender } from "../deliver/judge.js";
import { dataOf, type Envelope } from "../envelope.js";
import type { ChannelMessage } from "./channel.js";

/** A message that came through a channel which keeps nothing: it is gone from there when it is handed out. */
export class PassingMessage<Data = unknown> implements ChannelMessage<Data> {
  readonly envelope: Envelope<Data>;
  readonly data: Data;
  readonly sender: Sender;

  constructor(envelope: Envelope, sender: Sender) {
    this.envelope = envelope as Envelope<Data>;
    this.data = dataOf(envelope) as Data;
    this.sender = sender;
  }

  get id(): string {
    return this.envelope.id;
  }

  get topic(): string {
    return this.envelope.topic;
  }

  get type(): string {
    return this.envelope.type;
  }

  get time(): Date {
    return new Date(this.envelope.time);
  }

  get cause(): Cause {
    const { id, correlationid, hops, traceparent, tracestate } = this.envelope;
    return { id, correlationId: correlationid ?? id, hops: hops ?? 0, traceparent, tracestate };
  }

  async ack(): Promise<void> {
    // There is nothing to remove.
  }
}
