import type { Bus } from "../bus.js";
import { BusError } from "../errors.js";
import type { DrainOptions } from "../subscribe/subscription.js";
import { SPOOL_CAPABILITIES } from "./capabilities.js";
import type { SendingEnd, SendOptions, Sent } from "./channel.js";

/**
 * The spool as a channel: what is sent goes to an agent's inbox, and `bus.subscribe("@user")` is the other end. For programs that are
 * to work with any channel.
 * @param bus which stays open when the channel is closed @param address `@user`
 */
export function spoolSender(bus: Pick<Bus, "publish">, address: string): SendingEnd {
  return new SpoolSender(bus, address);
}

class SpoolSender implements SendingEnd {
  readonly capabilities = SPOOL_CAPABILITIES;
  readonly #bus: Pick<Bus, "publish">;
  readonly #address: string;
  readonly #sending = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(bus: Pick<Bus, "publish">, address: string) {
    this.#bus = bus;
    this.#address = address;
  }

  async send(data: unknown, options?: SendOptions): Promise<Sent> {
    if (this.#isClosed) throw new BusError("ERR_CLOSED", `cannot send to ${this.#address}: the channel is closed`);
    const publishing = this.#bus.publish(`@${this.#address.slice(1)}`, data, options);
    this.#sending.add(publishing);
    try {
      return { id: (await publishing).id };
    } finally {
      this.#sending.delete(publishing);
    }
  }

  async drain(_options?: DrainOptions): Promise<void> {
    await this.close();
  }

  /** Whatever was handed in is stored within the same tick, or refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#sending);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }
}
