import { setTimeout as delay } from "node:timers/promises";
import { nowNs, type Payload } from "./payload.js";
import { SerialCheck, type Check } from "./serial-check.js";

/** What arrived since the log was last asked. */
export interface Arrivals {
  readonly latenciesNs: readonly number[];
  readonly lastAtNs: number;
  /** Of everything since the start. */
  readonly check: Check;
}

/** What has not arrived when nothing has for so long is lost, in milliseconds. */
const LOST_AFTER_MS = 5_000;

/** What a receiving end receives: when, how old, and with which serial numbers. */
export class ArrivalLog {
  readonly #check = new SerialCheck();
  #latenciesNs: number[] = [];
  #lastAtNs = nowNs();
  /** Not waited for again. */
  #lost = 0;

  add({ serial, sentNs }: Payload): void {
    this.#lastAtNs = nowNs();
    this.#latenciesNs.push(this.#lastAtNs - Number(sentNs));
    this.#check.arrived(Number(serial));
  }

  /** Waits until all has arrived, or is lost. @param sent the last serial that was sent */
  async upTo(sent: number): Promise<Arrivals> {
    const askedNs = nowNs();
    const isOver = () => nowNs() - Math.max(askedNs, this.#lastAtNs) > LOST_AFTER_MS * 1e6;
    while (this.#check.result(sent).lost > this.#lost && !isOver()) await delay(5);
    const arrivals = { latenciesNs: this.#latenciesNs, lastAtNs: this.#lastAtNs, check: this.#check.result(sent) };
    this.#latenciesNs = [];
    this.#lost = arrivals.check.lost;
    return arrivals;
  }
}
