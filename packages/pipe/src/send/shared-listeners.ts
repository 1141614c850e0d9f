/** Listens once to each signal, however many messages it may take back: Node warns of more than ten listeners. */
export class SharedListeners {
  readonly #actions = new Map<AbortSignal, Set<() => void>>();

  /** @returns what takes it back */
  listen(signal: AbortSignal, action: () => void): () => void {
    let actions = this.#actions.get(signal);
    if (actions === undefined) {
      actions = new Set();
      this.#actions.set(signal, actions);
      signal.addEventListener("abort", this.#onAbort);
    }
    actions.add(action);
    return () => {
      actions.delete(action);
      if (actions.size > 0) return;
      this.#actions.delete(signal);
      signal.removeEventListener("abort", this.#onAbort);
    };
  }

  readonly #onAbort = ({ target }: Event) => {
    for (const action of this.#actions.get(target as AbortSignal) ?? []) action();
  };
}
