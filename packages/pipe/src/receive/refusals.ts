import type { ChannelRefusal, ChannelStatistics } from "@agentbus/core";

/** Of so many different ones a warning is given: whoever is flooded learns it once. */
const MAX_WARNINGS = 100;

/** Counts what is not delivered, and tells of it. */
export class Refusals {
  readonly #stats: ChannelStatistics;
  readonly #onRefused: ((refusal: ChannelRefusal) => void) | undefined;
  readonly #warned = new Set<string>();

  constructor(stats: ChannelStatistics, onRefused: ((refusal: ChannelRefusal) => void) | undefined) {
    this.#stats = stats;
    this.#onRefused = onRefused;
  }

  add(refusal: ChannelRefusal): void {
    const { refused } = this.#stats;
    refused[refusal.reason] = (refused[refusal.reason] ?? 0) + 1;
    if (this.#onRefused !== undefined) return this.#tell(refusal, this.#onRefused);
    const who = refusal.sender === undefined ? "" : ` from ${refusal.sender.user}`;
    const key = `${refusal.reason}${who}`;
    if (this.#warned.has(key) || this.#warned.size >= MAX_WARNINGS) return;
    this.#warned.add(key);
    const text = `a pipe${who} brought what is not delivered: ${refusal.reason}: ${refusal.detail}; further ones are counted`;
    process.emitWarning(text, { type: "AgentbusWarning", code: "AGENTBUS_REFUSED" });
  }

  /** What it throws must not keep others' messages from being delivered. */
  #tell(refusal: ChannelRefusal, onRefused: (refusal: ChannelRefusal) => void): void {
    try {
      onRefused(refusal);
    } catch (error) {
      process.emitWarning(`onRefused failed: ${String(error)}`, "AgentbusWarning");
    }
  }
}
