import { BusError, isBusError, type Bus, type PublishOptions, type PublishResult } from "@agentbus/core";
import { parseLine, type DataOptions } from "./message-data.js";
import { writeLine } from "./output.js";
import { toJson } from "./printable.js";
import { linesOfStdin } from "./stdin.js";
import { say } from "./words.js";

/** Publishes that may be under way at once; neighbours share a file. */
const MAX_UNDER_WAY = 1_000;

export interface LinesOptions extends DataOptions {
  readonly json?: boolean;
}

/**
 * Publishes each line of stdin, in order and without waiting for one before the next. The first that fails ends it; of the lines
 * after it, those that were under way are published too.
 * @throws BusError naming the line
 */
export async function publishLines(
  bus: Bus,
  target: string,
  options: LinesOptions,
  publishing: PublishOptions & { readonly signal: AbortSignal },
): Promise<void> {
  const results = new Results(options.json === true);
  let number = 0;
  try {
    for await (const line of linesOfStdin(bus.spool.limits.maxEnvelopeBytes, publishing.signal)) {
      number++;
      if (line.trim() === "") continue;
      const where = `line ${number} of stdin`;
      const { data, ...kind } = parseLine(line, options, where);
      await results.add(bus.publish(target, data, { ...publishing, ...kind }), where);
    }
  } finally {
    await results.finish();
  }
  publishing.signal.throwIfAborted();
}

/** Tells what became of the lines, in their order and as soon as it is known. */
class Results {
  readonly #subscriptions = new Set<string>();
  /** Never rejects. */
  #told: Promise<void> = Promise.resolve();
  #underWay = 0;
  #count = 0;
  #failure: Error | undefined;

  constructor(private readonly isJson: boolean) {}

  /** Waits when too many are under way. @throws what an earlier one was refused with */
  async add(result: Promise<PublishResult>, where: string): Promise<void> {
    this.#underWay++;
    this.#told = Promise.allSettled([result, this.#told]).then(([settled]) => this.#tell(settled, where));
    if (this.#underWay >= MAX_UNDER_WAY) await this.#told;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** @throws what any of them was refused with */
  async finish(): Promise<void> {
    await this.#told;
    const all = [...this.#subscriptions].join(", ");
    if (!this.isJson)
      say(`published ${this.#count} messages: ${all === "" ? "nobody is subscribed" : `stored by ${all}`}`);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #tell(settled: PromiseSettledResult<PublishResult>, where: string): Promise<void> {
    this.#underWay--;
    if (settled.status === "rejected") {
      this.#failure ??= atLine(settled.reason, where);
      return;
    }
    const { id, topic, subscriptions } = settled.value;
    this.#count++;
    for (const subscription of subscriptions) this.#subscriptions.add(subscription);
    if (!this.isJson) return;
    try {
      await writeLine(toJson({ id, topic, subscriptions }));
    } catch (error) {
      this.#failure ??= error as Error;
    }
  }
}

function atLine(error: unknown, where: string): Error {
  if (!isBusError(error)) return error as Error;
  const { code, message, path, fix, details } = error;
  return new BusError(code, `${where}: ${message}`, { path, fix, details, cause: error });
}
