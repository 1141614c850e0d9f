import type { ChannelMessage, ChannelRefusal, ReceivingEnd } from "../channel/channel.js";
import type { ChannelArena, ChannelDriver } from "./driver.js";
import { until } from "./until.js";

/** A receiver that takes all that comes, and what it has got. */
export class Taker {
  readonly messages: ChannelMessage[] = [];
  readonly refusals: Pick<ChannelRefusal, "reason" | "detail">[] = [];
  /** Resolves when the iteration is over. */
  ended!: Promise<void>;
  end!: ReceivingEnd;

  static async open(arena: ChannelArena, signal?: AbortSignal): Promise<Taker> {
    const taker = new Taker();
    const onRefused = (refusal: Pick<ChannelRefusal, "reason" | "detail">) => void taker.refusals.push(refusal);
    taker.end = await arena.receive({ onRefused, ...(signal === undefined ? {} : { signal }) });
    taker.ended = taker.#take();
    return taker;
  }

  get data(): unknown[] {
    return this.messages.map(({ data }) => data);
  }

  get refused(): number {
    return Object.values(this.end.stats.refused).reduce((total, count) => total + count, 0);
  }

  async until(count: number): Promise<void> {
    await until(
      () => this.messages.length >= count,
      () => `${this.messages.length} of ${count} messages came`,
    );
  }

  async untilRefused(count: number): Promise<void> {
    await until(
      () => this.refused >= count,
      () => `${this.refused} of ${count} were refused`,
    );
  }

  async #take(): Promise<void> {
    for await (const message of this.end) {
      this.messages.push(message);
      await message.ack();
    }
  }
}

/** Runs a test in a place of its own, and leaves nothing behind. */
export async function inArena(driver: ChannelDriver, test: (arena: ChannelArena) => Promise<void>): Promise<void> {
  const arena = await driver.open();
  try {
    await test(arena);
  } finally {
    await arena.close();
  }
}
