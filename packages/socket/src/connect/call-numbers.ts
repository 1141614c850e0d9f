/** The largest that a frame can bear. */
const LAST = 0xffff_ffff;

/** Numbers for the calls of one connection. They begin again at 1 after four billion, which takes a busy client a day. */
export class CallNumbers {
  #last: number;

  /** @param last that was given out */
  constructor(last = 0) {
    this.#last = last;
  }

  /** @param isUsed by a call that is not answered yet */
  next(isUsed: (number: number) => boolean): number {
    do this.#last = this.#last === LAST ? 1 : this.#last + 1;
    while (isUsed(this.#last));
    return this.#last;
  }
}
