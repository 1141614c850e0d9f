/** What ends a time, by its milliseconds; made when it is first needed. */
const ENDS: string[] = [];

/** Times as `toISOString()` writes them, which costs as much as the rest of an envelope: most share their second with the one before. */
export class TimeStamps {
  /** In ms since 1970. */
  #secondMs = Number.NaN;
  /** The second as text, up to its dot. */
  #second = "";

  of(ms: number): string {
    const beyondMs = ms - this.#secondMs;
    if (beyondMs >= 0 && beyondMs < 1_000) return this.#second + endOf(beyondMs);
    this.#secondMs = Math.floor(ms / 1_000) * 1_000;
    this.#second = new Date(this.#secondMs).toISOString().slice(0, -4);
    return this.#second + endOf(ms - this.#secondMs);
  }
}

function endOf(ms: number): string {
  return (ENDS[ms] ??= `${String(ms).padStart(3, "0")}Z`);
}
