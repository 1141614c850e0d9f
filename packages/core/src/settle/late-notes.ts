import { atExit } from "../at-exit.js";
import type { Progress } from "./progress.js";

/** How long a note may wait for others, in milliseconds. */
const MAX_WAIT_MS = 5;

/** What a note may be about. */
interface Begun {
  /** Notes that an envelope has begun, unless that is over or noted already. */
  confirmBegun(index: number): void;
}

/**
 * Notes that one consumer still has to write, about messages whose handlers were done at once: nobody waits to be told of them.
 *
 * Each note is a write(2), which costs as much as the rest of a small message. So while messages come without a pause, the notes of
 * a few milliseconds share one, and those of a file that is gone by then are never written. A process that ends by
 * itself writes them first; one that is killed repeats what was not noted.
 */
export class LateNotes {
  readonly #owing = new Set<Progress>();
  #begun: { readonly claim: Begun; readonly index: number }[] = [];
  /** By performance.now(). */
  #since = 0;
  #timer: NodeJS.Immediate | undefined;
  #cancelAtExit: (() => void) | undefined;

  /** @param onFailure is told why notes could not be written, and asks for them again */
  constructor(private readonly onFailure: (error: unknown) => void) {}

  /** An envelope is settled, and its note is owed. */
  addSettled(progress: Progress): void {
    if (this.#owing.size === 0) this.#since = performance.now();
    this.#owing.add(progress);
    this.#cancelAtExit ??= atExit(() => this.close());
  }

  /** An envelope is in work, and may be for long: unless it is done in this turn of the event loop, that is noted after it. */
  addBegun(claim: Begun, index: number): void {
    this.#begun.push({ claim, index });
    this.#timer ??= setImmediate(() => this.#tryToWrite());
    this.#cancelAtExit ??= atExit(() => this.close());
  }

  /** The notes of a file are written, or not needed any more. */
  remove(progress: Progress): void {
    this.#owing.delete(progress);
  }

  /** To be called before a handler starts, which may take its time. @param now by performance.now() @throws as `write` */
  writeIfDue(now?: number): void {
    if (this.#owing.size > 0 && (now ?? performance.now()) - this.#since >= MAX_WAIT_MS) this.write();
  }

  /** To be called before this consumer waits for anything: whatever its last handler set off goes first. */
  writeSoon(): void {
    if (this.#owing.size > 0) this.#timer ??= setImmediate(() => this.#tryToWrite());
  }

  /** To be called where nothing else is at hand: whoever sleeps next shall not be woken for it. */
  writeNow(): void {
    if (this.#owing.size > 0) this.#tryToWrite();
  }

  /** @throws the system's error; the notes are then still owed */
  write(): void {
    clearImmediate(this.#timer);
    this.#timer = undefined;
    for (const { claim, index } of this.#begun.splice(0)) claim.confirmBegun(index);
    for (const progress of this.#owing) progress.write();
    this.#owing.clear();
  }

  /** Writes what it can. */
  close(): void {
    this.#cancelAtExit?.();
    this.#tryToWrite();
  }

  #tryToWrite(): void {
    try {
      this.write();
    } catch (error) {
      this.onFailure(error);
    }
  }
}
