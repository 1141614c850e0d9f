import { stemOf } from "../settle/claim-names.js";

/** As many as there are of one sender in a generation of those seen (seen.ts). */
const MAX_KEPT = 10_000;

/**
 * Finds second copies among what another consumer had claimed and did not settle.
 *
 * There, that an id was seen says nothing: it may have been this very copy. But the last message of a stream may be in the next file as
 * well, because it was appended too late to count (publish/streams.ts). Where both files come back, which of them a message was
 * handed out from tells the copies apart. A repeat that comes after another restart is not found: it would take a journal of files, for
 * a few milliseconds after a crash.
 */
export class SecondCopies {
  /** By sender and id, the oldest first. */
  readonly #stems = new Map<string, string>();

  /** A message of a stream is handed out. */
  note(uid: number, id: string, file: string): void {
    this.#stems.set(`${uid} ${id}`, stemOf(file));
    if (this.#stems.size <= MAX_KEPT) return;
    const [oldest] = this.#stems.keys();
    if (oldest !== undefined) this.#stems.delete(oldest);
  }

  /** Whether a message that is in this file was handed out of another one. */
  has(uid: number, id: string, file: string): boolean {
    const stem = this.#stems.get(`${uid} ${id}`);
    return stem !== undefined && stem !== stemOf(file);
  }
}
