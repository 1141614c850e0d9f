import { DEFAULT_PRIORITY } from "../envelope.js";
import type { Moment } from "../freshness.js";
import type { Spool } from "../spool.js";
import type { Outcome, Parcel } from "./parcel.js";
import type { Lane, Streams } from "./streams.js";
import type { SubscriptionIndex } from "./subscription-index.js";
import type { Target } from "./target.js";

/** A route is gone by for so long after what it rests on was asked, in milliseconds … */
const ROUTE_FOR_MS = 100;
/** … and from this age on it is to be renewed between two messages. */
const RENEW_AFTER_MS = 50;
const MAX_ROUTES = 1_000;

/** The way that a message to a topic took a moment ago, when it was appended to a stream. */
export class Route {
  readonly topic: string;
  readonly lane: Lane;
  readonly labels: readonly string[];
  /** Of the list of subscriptions. */
  readonly version: number;
  /** When what it rests on was asked; by performance.now(). */
  askedAt: number;

  constructor(topic: string, lane: Lane, labels: readonly string[], version: number, askedAt: number) {
    this.topic = topic;
    this.lane = lane;
    this.labels = labels;
    this.version = version;
    this.askedAt = askedAt;
  }

  isOver(now: Moment): boolean {
    return now.steady - this.askedAt >= ROUTE_FOR_MS;
  }

  /** Whether it had better be renewed before the next message. */
  isDue(now: Moment): boolean {
    return now.steady - this.askedAt >= RENEW_AFTER_MS;
  }
}

export interface RoutesParts {
  readonly index: SubscriptionIndex;
  readonly streams: Streams;
  /** Those that have no room, or have somebody line up for it. */
  readonly fullOf: (targets: readonly Target[]) => readonly Target[];
}

/** The ways that messages took, by topic: what was found out for one, the next need not ask. */
export class Routes {
  readonly #spool: Spool;
  readonly #parts: RoutesParts;
  readonly #routes = new Map<string, Route>();

  constructor(spool: Spool, parts: RoutesParts) {
    this.#spool = spool;
    this.#parts = parts;
  }

  /** @returns undefined when the next message has to be looked up */
  find(topic: string, now: Moment): Route | undefined {
    const route = this.#routes.get(topic);
    if (route === undefined || route.isOver(now) || route.version !== this.#parts.index.version) return undefined;
    return route;
  }

  /** Whoever lines up for room, has a schema or a priority of its own, is looked up each time. */
  note({ to, topic, priority, sync, keepsLink }: Parcel, targets: readonly Target[], outcome: Outcome): void {
    if (to !== undefined || sync !== "none" || keepsLink || priority !== DEFAULT_PRIORITY) return;
    if (outcome.stored.length < targets.length) return;
    const askedAt = performance.now();
    const { index, streams } = this.#parts;
    const lane = streams.laneTo(priority, targets);
    if (lane === undefined || this.#mayHaveSchema(topic)) return;
    if (this.#routes.size >= MAX_ROUTES) this.#routes.clear();
    this.#routes.set(topic, new Route(topic, lane, [...outcome.stored], index.version, askedAt));
  }

  /**
   * Asks again what the next message would, so that it need not; to be called after a look at the subscriptions. Where another way
   * is to be taken now, the next message finds it.
   */
  renew(route: Route): void {
    const askedAt = performance.now();
    if (this.#routes.get(route.topic) !== route) return;
    if (this.#stillLeads(route)) route.askedAt = askedAt;
    else this.#routes.delete(route.topic);
  }

  clear(): void {
    this.#routes.clear();
  }

  #stillLeads({ topic, lane, version }: Route): boolean {
    const { index, streams, fullOf } = this.#parts;
    if (version !== index.version) return false;
    const targets = index.forTopic(topic);
    return (
      streams.laneTo(lane.priority, targets) === lane && fullOf(targets).length === 0 && !this.#mayHaveSchema(topic)
    );
  }

  /** Asked when the message is stored: what is wrong now is for the next one to tell. */
  #mayHaveSchema(topic: string): boolean {
    try {
      return this.#spool.schemas.knows(topic);
    } catch {
      return true;
    }
  }
}
