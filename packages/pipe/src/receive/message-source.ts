import {
  PassingMessage,
  type ChannelCounters,
  type ChannelMessage,
  type ChannelStatistics,
  type Refusals,
} from "@agentbus/core";
import type { IncomingPipe, Item } from "./incoming-pipe.js";
import { Turns } from "./turns.js";

/** Messages that are handed on, or refused, before the other pipes are looked at again. */
export const IN_A_ROW = 64;

export interface MessageSourceEvents {
  /** A pipe is done with. */
  readonly onFinished: (pipe: IncomingPipe) => void;
  /** There is more, for the next turn of the event loop. */
  readonly onMore: () => void;
}

/** The messages of all pipes, each sender's in turn. What is no message is counted on the way. */
export class MessageSource<Data> {
  readonly #stats: ChannelStatistics;
  readonly #counters: ChannelCounters;
  readonly #refusals: Refusals;
  readonly #events: MessageSourceEvents;
  readonly #turns = new Turns();

  constructor(stats: ChannelStatistics, counters: ChannelCounters, refusals: Refusals, events: MessageSourceEvents) {
    this.#stats = stats;
    this.#counters = counters;
    this.#refusals = refusals;
    this.#events = events;
  }

  get isEmpty(): boolean {
    return this.#turns.isEmpty;
  }

  /** A pipe has something to take. */
  add(pipe: IncomingPipe): void {
    this.#turns.add(pipe);
  }

  remove(pipe: IncomingPipe): void {
    this.#turns.remove(pipe);
  }

  /**
   * The next message, in turn; what is none counts as its sender's turn. After much of that the rest is left to the next turn of the event
   * loop: whoever sends nothing else must not keep others' pipes from being read.
   */
  next(): ChannelMessage<Data> | undefined {
    let inARow = 0;
    for (let pipe; (pipe = this.#turns.next) !== undefined;) {
      // Before its next message comes everybody else's.
      this.#turns.pass();
      const item = pipe.take();
      if (!pipe.isReady) this.#turns.remove(pipe);
      if (pipe.isFinished) this.#events.onFinished(pipe);
      const message = item === undefined ? undefined : this.#messageOf(item, pipe);
      if (message !== undefined) return message;
      if (++inARow === IN_A_ROW) {
        this.#events.onMore();
        return undefined;
      }
    }
    return undefined;
  }

  #messageOf(item: Item, pipe: IncomingPipe): ChannelMessage<Data> | undefined {
    if (item.kind === "deliver") {
      this.#stats.delivered++;
      pipe.counters.messages++;
      this.#counters.messages++;
      this.#counters.bytes += pipe.takenCharacters;
      return new PassingMessage<Data>(item.envelope, item.sender);
    }
    if (item.kind === "expired") this.#stats.expired++;
    else {
      pipe.counters.refused++;
      this.#counters.refused++;
      this.#refusals.add({ reason: item.reason, detail: item.detail, sender: pipe.sender });
    }
    return undefined;
  }
}
