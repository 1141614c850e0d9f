/** Messages that have been handed out and are not settled. An id is its sender's own: two accounts may use the same. */
export class InWork {
  readonly #senders = new Map<number, Set<string>>();

  has(uid: number, id: string): boolean {
    return this.#senders.get(uid)?.has(id) ?? false;
  }

  add(uid: number, id: string): void {
    const ids = this.#senders.get(uid);
    if (ids === undefined) this.#senders.set(uid, new Set([id]));
    else ids.add(id);
  }

  delete(uid: number, id: string): void {
    this.#senders.get(uid)?.delete(id);
  }
}
