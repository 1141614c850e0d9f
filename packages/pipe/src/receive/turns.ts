import type { IncomingPipe } from "./incoming-pipe.js";

/** The pipes of one account that have something to take. */
interface Lane {
  readonly uid: number;
  readonly pipes: IncomingPipe[];
}

/**
 * Whose turn it is: one message of each account that has any, in turn, and within an account one of each of its pipes. So whoever opens
 * many pipes, or fills them with whatever, takes no more of the receiver's time than anybody else.
 */
export class Turns {
  /** The next one first; none is without pipes. */
  readonly #lanes: Lane[] = [];
  readonly #ready = new Set<IncomingPipe>();

  get isEmpty(): boolean {
    return this.#lanes.length === 0;
  }

  /** A pipe has something to take; it joins at the end. */
  add(pipe: IncomingPipe): void {
    if (this.#ready.has(pipe)) return;
    this.#ready.add(pipe);
    const { uid } = pipe.sender;
    const lane = this.#lanes.find((each) => each.uid === uid);
    if (lane === undefined) this.#lanes.push({ uid, pipes: [pipe] });
    else lane.pipes.push(pipe);
  }

  /** The pipe whose turn it is. It stays until it is removed; `pass()` hands the turn on. */
  get next(): IncomingPipe | undefined {
    return this.#lanes[0]?.pipes[0];
  }

  /** The pipe whose turn it was goes to the end, and so does its account. */
  pass(): void {
    const lane = this.#lanes[0];
    if (lane === undefined) return;
    if (lane.pipes.length > 1) lane.pipes.push(lane.pipes.shift() as IncomingPipe);
    // Mostly there is only one.
    if (this.#lanes.length > 1) this.#lanes.push(this.#lanes.shift() as Lane);
  }

  remove(pipe: IncomingPipe): void {
    if (!this.#ready.delete(pipe)) return;
    const at = this.#lanes.findIndex(({ uid }) => uid === pipe.sender.uid);
    const lane = this.#lanes[at];
    if (lane === undefined) return;
    lane.pipes.splice(lane.pipes.indexOf(pipe), 1);
    if (lane.pipes.length === 0) this.#lanes.splice(at, 1);
  }
}
