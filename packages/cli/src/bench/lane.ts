import type { Arrivals } from "./arrival-log.js";
import type { EndProcess } from "./end-process.js";
import type { Payload } from "./payload.js";
import type { Sender } from "./senders.js";

/** A transport from this process to its receiving end, with the serial numbers that tell what was lost. */
export class Lane {
  readonly #sender: Sender;
  readonly #end: EndProcess;
  readonly #payloadOf: (serial: number) => Payload;
  #sent = 0;

  constructor(sender: Sender, end: EndProcess, payloadOf: (serial: number) => Payload) {
    this.#sender = sender;
    this.#end = end;
    this.#payloadOf = payloadOf;
  }

  /** Sends the next message. */
  readonly send = (): void | Promise<unknown> => this.#sender(this.#payloadOf(++this.#sent));

  /** Waits until all that was sent has arrived, or is lost. @returns what arrived since the last call */
  arrivals(): Promise<Arrivals> {
    return this.#end.arrivals({ sent: this.#sent });
  }
}
