/** How much the other end of a stream has room for. */
export class Room {
  /** Called when it is closed; one at a time. */
  onClose: (() => void) | undefined;
  #bytes: number;
  #isOver = false;
  readonly #waiting: (() => void)[] = [];

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  get isThere(): boolean {
    return this.#bytes > 0 && !this.#isOver;
  }

  /** For one that is sent now; the last one may take more than there is. */
  take(bytes: number): void {
    this.#bytes -= bytes;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > 0) this.#wake();
  }

  /** Nothing more will be sent; whoever waits goes on, and has to look. */
  close(): void {
    this.#isOver = true;
    this.#wake();
    this.onClose?.();
  }

  get isClosed(): boolean {
    return this.#isOver;
  }

  /** Resolves when there is room, or never will be. */
  when(): Promise<void> {
    if (this.isThere || this.#isOver) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
