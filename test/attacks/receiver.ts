import fs from "node:fs";
import { join } from "node:path";
import type { PublishOptions, SubscribeOptions, SubscriptionStatistics } from "@agentbus/core";
import { until } from "../support/personal-spool.js";
import type { Person, Tools } from "../support/person.js";

export interface Received {
  readonly id: string;
  readonly data: unknown;
  readonly source: string;
  /** By the owner of the file. */
  readonly sender: string;
  readonly attempt: number;
}

/** What the receiver's handler does with each message. */
type Behaviour = "acks" | "holds" | "fails" | "rejects";

/** Kept in the receiver's process. */
interface Kept {
  readonly received: Received[];
  readonly subscription: { readonly stats: SubscriptionStatistics; close(): Promise<void> };
  behaviour: Behaviour;
  wake: (() => void)[];
}

/** A subscription that somebody reads in a process of their own, and what came out of it so far. */
export class Receiver {
  readonly #person: Person;
  readonly #key: string;

  private constructor(person: Person, key: string) {
    this.#person = person;
    this.#key = key;
  }

  static async open(
    person: Person,
    spool: string,
    pattern: string | string[],
    options: Omit<SubscribeOptions, "onRefused" | "signal"> & { behaviour?: Behaviour } = {},
  ): Promise<Receiver> {
    const key = await person.run(open, spool, pattern, options);
    return new Receiver(person, key);
  }

  received(): Promise<Received[]> {
    return this.#person.run(({ keep }, key) => (keep[key] as Kept).received, this.#key);
  }

  /** The data of all that was received so far, in order. */
  async data(): Promise<unknown[]> {
    return (await this.received()).map(({ data }) => data);
  }

  stats(): Promise<SubscriptionStatistics> {
    return this.#person.run(({ keep }, key) => (keep[key] as Kept).subscription.stats, this.#key);
  }

  /** Changes what the handler does, also with what it holds already. */
  behave(behaviour: Behaviour): Promise<void> {
    return this.#person.run(
      ({ keep }, key, wanted) => {
        const kept = keep[key] as Kept;
        kept.behaviour = wanted;
        for (const wake of kept.wake.splice(0)) wake();
      },
      this.#key,
      behaviour,
    );
  }

  close(): Promise<void> {
    return this.#person.run(({ keep }, key) => (keep[key] as Kept).subscription.close(), this.#key);
  }

  /** Waits until so many messages were received, and no less. */
  async untilReceived(count: number, withinMs = 15_000): Promise<Received[]> {
    await until(async () => (await this.received()).length >= count, withinMs);
    return this.received();
  }

  /** Waits until so many files or envelopes were refused, whatever for. */
  async untilRefused(count: number, withinMs = 15_000): Promise<Record<string, number>> {
    await until(async () => sum(Object.values((await this.stats()).refused)) >= count, withinMs);
    return (await this.stats()).refused;
  }
}

async function open(
  { openedBus, keep }: Tools,
  spool: string,
  pattern: string | string[],
  { behaviour = "acks", ...options }: SubscribeOptions & { behaviour?: Behaviour },
): Promise<string> {
  const bus = await openedBus(spool);
  const received: Received[] = [];
  const kept = { received, behaviour, wake: [] as (() => void)[] };
  const subscription = await bus.subscribe(pattern, options, async (message) => {
    const { id, data, envelope, sender, attempt } = message;
    received.push({ id, data, source: envelope.source, sender: sender.user, attempt });
    while (kept.behaviour === "holds" && !message.signal.aborted) {
      await new Promise<void>((resolve) => {
        kept.wake.push(resolve);
        message.signal.addEventListener("abort", () => resolve());
      });
    }
    if (kept.behaviour === "fails") throw new Error("the handler fails");
    if (kept.behaviour === "rejects") await message.reject("the handler rejects");
  });
  const key = `receiver ${Object.keys(keep).length}`;
  keep[key] = Object.assign(kept, { subscription });
  return key;
}

/** Publishes, and tells which subscriptions store the message. */
export function publish(
  person: Person,
  spool: string,
  destination: string,
  data: unknown,
  options: Omit<PublishOptions, "signal" | "cause"> = {},
): Promise<string[]> {
  return person.run(
    async ({ openedBus }, path, to, what, how) => [
      ...(await (await openedBus(path)).publish(to, what, how)).subscriptions,
    ],
    spool,
    destination,
    data,
    options,
  );
}

/** Makes a durable subscription that nobody reads for now. */
export async function park(person: Person, spool: string, name: string, pattern: string): Promise<void> {
  await (await Receiver.open(person, spool, pattern, { durable: name })).close();
}

export interface Letter {
  readonly letter: string;
  readonly reason: string;
  readonly detail: string;
  readonly file: string;
  readonly sender: { readonly uid: number; readonly user: string | null } | null;
}

/** What a subscription's reason files say, as root reads them. */
export function lettersIn(subscriptionDir: string): Letter[] {
  const dead = join(subscriptionDir, "dead");
  const names = fs.readdirSync(dead).filter((name) => name.endsWith(".reason.json"));
  return names.sort().map((name) => ({
    letter: name.slice(0, -".reason.json".length),
    ...(JSON.parse(fs.readFileSync(join(dead, name), "utf8")) as Omit<Letter, "letter">),
  }));
}

/** How many of each. */
export function tally(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

/** For lists whose order is not the point. */
export function byText(a: unknown, b: unknown): number {
  return String(a) < String(b) ? -1 : 1;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
