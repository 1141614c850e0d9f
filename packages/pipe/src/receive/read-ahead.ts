/** Less is not read at a time, in bytes … */
const LEAST = 4 * 1024;
/** … and more is not. */
export const MOST = 64 * 1024;
/** What is read ahead should be taken within so many milliseconds. */
const SOON_MS = 10;

/**
 * How far a pipe is read ahead of whoever takes its messages. What has been read is lost when the receiver is killed, and what is still in the
 * pipe is not: so it is little, unless messages are taken so fast that it is gone in no time.
 */
export class ReadAhead {
  #bytes = LEAST;
  /** Of what was read since all was taken, whether any read found as much as it asked for. */
  #foundMore = false;
  /** By performance.now(); undefined when all is taken. */
  #since: number | undefined;

  /** To be read at a time: all of it is taken before more is read. */
  get bytes(): number {
    return this.#bytes;
  }

  /** So many bytes were read. */
  read(length: number): void {
    this.#since ??= performance.now();
    this.#foundMore ||= length >= this.#bytes;
  }

  /** All that was read is taken. */
  taken(): void {
    if (this.#since === undefined) return;
    if (performance.now() - this.#since > SOON_MS) this.#bytes = LEAST;
    else if (this.#foundMore) this.#bytes = Math.min(2 * this.#bytes, MOST);
    this.#foundMore = false;
    this.#since = undefined;
  }
}
