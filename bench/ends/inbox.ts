import type { Arrived, Assignment } from "./assignment.js";
import { nowNs, sizeOf } from "../envelope.js";
import { SerialCheck, sumOf } from "./serials.js";
import type { OnEnvelope } from "../transports/transport.js";

/** An envelope with an address in the place of a topic may be a little longer or shorter. */
const ADDRESS_BYTES = 64;

/** What arrives at each of the subscriptions of a subscriber's process. */
export class Inbox {
  readonly checks: readonly SerialCheck[];
  readonly #assignment: Assignment;
  /** Of those that warm up, too: what is done with a message shall not change when those begin that count. */
  readonly #latenciesNs: Float64Array;
  #lastArrivedNs = 0;
  #wrongSize: number | undefined;

  constructor(assignment: Assignment) {
    const { subscribers, warmUp, count, perSecond } = assignment;
    this.#assignment = assignment;
    this.checks = Array.from({ length: subscribers }, () => new SerialCheck(warmUp + count));
    this.#latenciesNs = new Float64Array(perSecond === null ? 0 : warmUp + count);
  }

  listener(subscription: number): OnEnvelope {
    const { bytes } = this.#assignment;
    const check = this.checks[subscription] ?? new SerialCheck(0);
    const isTimed = subscription === 0 && this.#latenciesNs.length > 0;
    return (envelope) => {
      const arrivedNs = isTimed ? nowNs() : 0;
      const serial = Number(envelope.data.serial);
      if (!check.arrived(serial)) return;
      if (isTimed) this.#latenciesNs[serial - 1] = arrivedNs - Number(envelope.data.sentNs);
      if (check.isComplete) this.#lastArrivedNs = nowNs();
      if (serial === 1 && Math.abs(sizeOf(envelope) - bytes) > ADDRESS_BYTES) this.#wrongSize = sizeOf(envelope);
    };
  }

  result(): Arrived {
    if (this.#wrongSize !== undefined) {
      throw new Error(`the envelope has ${this.#wrongSize} bytes instead of ${this.#assignment.bytes}`);
    }
    const losses = sumOf(this.checks.map((check) => check.losses));
    // When messages are missing, no last one came, and the numbers are worth nothing.
    const latenciesNs = this.#latenciesNs.slice(this.#assignment.warmUp);
    return { latenciesNs, lastArrivedNs: this.#lastArrivedNs || nowNs(), losses };
  }
}
