import type { ChannelRefusal, ChannelStatistics } from "./channel.js";
import { thrownText } from "./failure-text.js";

/** Longest text about a refusal, in characters. */
const MAX_DETAIL = 300;
/** So many different warnings, and no more: a stranger shall not fill the log. */
const MAX_WARNINGS = 100;

/** Counts what came and was not delivered, and tells of it. */
export class Refusals {
  readonly #stats: ChannelStatistics;
  readonly #what: string;
  readonly #onRefused: ((refusal: ChannelRefusal) => void) | undefined;
  readonly #warned = new Set<string>();

  /** @param what it came to, for people @param onRefused instead of warnings */
  constructor(stats: ChannelStatistics, what: string, onRefused: ((refusal: ChannelRefusal) => void) | undefined) {
    this.#stats = stats;
    this.#what = what;
    this.#onRefused = onRefused;
  }

  /** @param refusal whose detail may quote somebody else */
  add({ reason, detail, sender }: ChannelRefusal): void {
    this.#stats.refused[reason] = (this.#stats.refused[reason] ?? 0) + 1;
    const refusal = { reason, detail: printable(detail), sender };
    if (this.#onRefused !== undefined) return this.#tell(refusal, this.#onRefused);
    const who = sender?.user ?? "somebody";
    const key = `${who} ${reason}`;
    if (this.#warned.has(key) || this.#warned.size >= MAX_WARNINGS) return;
    this.#warned.add(key);
    process.emitWarning(
      `${this.#what} refused what came from ${who}: ${reason}, ${refusal.detail}; further ones are counted`,
      { type: "AgentbusWarning", code: "AGENTBUS_REFUSED" },
    );
  }

  /** What it throws would end the process, at the word of whoever was refused. */
  #tell(refusal: ChannelRefusal, onRefused: (refusal: ChannelRefusal) => void): void {
    try {
      onRefused(refusal);
    } catch (error) {
      process.emitWarning(`onRefused failed: ${thrownText(error)}`, "AgentbusWarning");
    }
  }
}

function printable(text: string): string {
  return text.slice(0, MAX_DETAIL).replaceAll(/[^\x20-\x7e]/g, "?");
}
