/** Drop boxes that a publisher keeps open at a time: a neighbour may make more subscriptions than a process may open files. */
const MAX_PINNED = 128;

/** Something that holds a descriptor, and gets it back when it needs it. */
interface Pin {
  unpin(): void;
}

/** Says which pins are in use, and takes out the one that has not been used for longest when there are too many. */
export class PinBoard {
  readonly #pins = new Set<Pin>();

  use(pin: Pin): void {
    this.#pins.delete(pin);
    this.#pins.add(pin);
    if (this.#pins.size <= MAX_PINNED) return;
    const [oldest] = this.#pins;
    oldest?.unpin();
  }

  forget(pin: Pin): void {
    this.#pins.delete(pin);
  }
}
