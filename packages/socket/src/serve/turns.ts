/** What waits for a handler to be free. */
export interface Turn {
  /** Runs it; `done` is to be called when its handler has finished. */
  start(done: () => void): void;
}

/** The turns of one account. */
export class Line {
  running = 0;
  readonly waiting: Turn[] = [];
}

/**
 * Gives handlers their turns: so many at a time in all, and so many for one account, the accounts one after the other. One that asks much, or whose
 * calls do not end, waits for itself.
 */
export class Turns {
  readonly #concurrency: number;
  readonly #perLine: number;
  #running = 0;
  /** Those in which somebody waits, in the order of their turns. */
  readonly #lines = new Set<Line>();

  constructor(concurrency: number, perLine: number) {
    this.#concurrency = concurrency;
    this.#perLine = perLine;
  }

  /** Whether a turn of this account may begin now. */
  isFree(line: Line): boolean {
    return this.#running < this.#concurrency && line.running < this.#perLine && line.waiting.length === 0;
  }

  /** Starts it now or later. */
  take(line: Line, turn: Turn): void {
    if (this.isFree(line)) return this.#start(line, turn);
    line.waiting.push(turn);
    this.#lines.add(line);
  }

  #start(line: Line, turn: Turn): void {
    this.#running++;
    line.running++;
    turn.start(() => {
      this.#running--;
      line.running--;
      if (this.#lines.size > 0) this.#next();
    });
  }

  #next(): void {
    while (this.#running < this.#concurrency) {
      const line = this.#ready();
      if (line === undefined) return;
      // To the end of the queue.
      this.#lines.delete(line);
      const turn = line.waiting.shift();
      if (line.waiting.length > 0) this.#lines.add(line);
      if (turn !== undefined) this.#start(line, turn);
    }
  }

  #ready(): Line | undefined {
    for (const line of this.#lines) {
      if (line.waiting.length === 0) this.#lines.delete(line);
      else if (line.running < this.#perLine) return line;
    }
    return undefined;
  }
}
