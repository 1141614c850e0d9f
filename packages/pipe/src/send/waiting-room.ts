import { BusError, type Sent } from "@agentbus/core";
import { SharedListeners } from "./shared-listeners.js";

/** So many messages may wait that nobody awaits … */
const MAX_LETTERS = 10_000;
/** … and so many characters of them, at least. */
const MAX_CHARACTERS = 16 * 1024 * 1024;
/** Free places at the front that are kept. */
const MAX_FREE = 256;

/** A message on its way into a pipe. */
export interface Letter {
  readonly id: string;
  readonly text: string;
  /** undefined for one that was in the pipe when its receiver went: its sender was told then. */
  readonly resolve: ((sent: Sent) => void) | undefined;
  readonly reject: ((error: unknown) => void) | undefined;
}

export interface PromisedLetter extends Letter {
  resolve: (sent: Sent) => void;
  reject: (error: unknown) => void;
}

/** A letter, and what its sender waits for. */
export interface Promised {
  readonly letter: PromisedLetter;
  readonly sent: Promise<Sent>;
}

export function promised(id: string, text: string): Promised {
  const letter: PromisedLetter = { id, text, resolve: noop, reject: noop };
  const sent = new Promise<Sent>((resolve, reject) => {
    letter.resolve = resolve;
    letter.reject = reject;
  });
  return { letter, sent };
}

/** What waits for room or for a receiver, in order. Its size has bounds, for callers who do not wait. */
export class WaitingRoom {
  readonly #to: string;
  readonly #timeoutMs: number | undefined;
  /** The next one stands at `#next`; what is before that is free. */
  #letters: (Letter | undefined)[] = [];
  #next = 0;
  #characters = 0;
  readonly #aborts = new SharedListeners();

  constructor(to: string, timeoutMs: number | undefined) {
    this.#to = to;
    this.#timeoutMs = timeoutMs;
  }

  get isEmpty(): boolean {
    return this.#next === this.#letters.length;
  }

  get size(): number {
    return this.#letters.length - this.#next;
  }

  /** @throws BusError ERR_BACKLOG when too many wait */
  enter(id: string, text: string, signal: AbortSignal | undefined, onGone: () => void): Promise<Sent> {
    if (!this.isEmpty && (this.size >= MAX_LETTERS || this.#characters + text.length > MAX_CHARACTERS)) {
      throw new BusError("ERR_BACKLOG", `cannot send to ${this.#to}: ${this.size} messages wait for room already`, {
        fix: "await each send()",
      });
    }
    const { letter, sent } = this.write(id, text, signal, onGone);
    this.#letters.push(letter);
    this.#characters += text.length;
    return sent;
  }

  /**
   * A letter that is not here, but under way. Once the pipe has a part of it, it cannot be taken back any more: its sender is told so
   * when the time is over, and it is delivered all the same.
   */
  write(id: string, text: string, signal: AbortSignal | undefined, onGone: () => void = noop): Promised {
    const written = promised(id, text);
    if (signal !== undefined || this.#timeoutMs !== undefined) this.#watch(written.letter, signal, onGone);
    return written;
  }

  #watch(letter: PromisedLetter, signal: AbortSignal | undefined, onGone: () => void): void {
    const { resolve, reject } = letter;
    const leave = () => {
      clearTimeout(timer);
      unlisten?.();
    };
    letter.resolve = (sent) => {
      leave();
      resolve(sent);
    };
    letter.reject = (error) => {
      leave();
      reject(error);
    };
    const takeBack = (error: unknown) => {
      const isGone = this.#remove(letter);
      letter.reject(error);
      if (isGone) onGone();
    };
    const expire = () => takeBack(timedOut(this.#to, this.#timeoutMs));
    const timer = this.#timeoutMs === undefined ? undefined : setTimeout(expire, this.#timeoutMs);
    const unlisten = signal === undefined ? undefined : this.#aborts.listen(signal, () => takeBack(signal.reason));
  }

  /** Puts back, in front of all others, what is to be sent first. */
  putBack(letters: readonly Letter[]): void {
    if (letters.length === 0) return;
    if (letters.length <= this.#next) {
      this.#next -= letters.length;
      for (const [i, letter] of letters.entries()) this.#letters[this.#next + i] = letter;
    } else {
      this.#letters = [...letters, ...this.#letters.slice(this.#next)];
      this.#next = 0;
    }
    for (const { text } of letters) this.#characters += text.length;
  }

  /** @param maxCharacters of all; the first one comes whatever it has */
  take(maxCharacters: number): Letter[] {
    if (this.#next > MAX_FREE || this.isEmpty) {
      this.#letters = this.#letters.slice(this.#next);
      this.#next = 0;
    }
    const taken: Letter[] = [];
    let characters = 0;
    while (!this.isEmpty) {
      const letter = this.#letters[this.#next] as Letter;
      characters += letter.text.length;
      if (taken.length > 0 && characters > maxCharacters) break;
      taken.push(letter);
      this.#letters[this.#next++] = undefined;
    }
    for (const { text } of taken) this.#characters -= text.length;
    return taken;
  }

  #remove(letter: Letter): boolean {
    const at = this.#letters.indexOf(letter, this.#next);
    if (at === -1) return false;
    this.#letters.splice(at, 1);
    this.#characters -= letter.text.length;
    return true;
  }
}

function timedOut(to: string, timeoutMs: number | undefined): BusError {
  return new BusError("ERR_TIMEOUT", `nobody took a message from the pipe to ${to} within ${timeoutMs} ms`, {
    fix: "agentbus status shows whether it receives pipes; a longer timeoutMs gives it more time",
  });
}

function noop(): void {}
