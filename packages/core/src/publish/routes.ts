import { DEFAULT_PRIORITY } from "../envelope.js";
import type { Moment } from "../freshness.js";
import type { Spool } from "../spool.js";
import type { Outcome, Parcel } from "./parcel.js";
import type { Lane, Streams } from "./streams.js";
import type { SubscriptionIndex } from "./subscription-index.js";
import type { Target } from "./target.js";

/** A route is gone by for so long, in milliseconds. */
const ROUTE_FOR_MS = 100;
const MAX_ROUTES = 1_000;

/** The way that a message to a topic took a moment ago, when it was appended to a stream. */
export class Route {
  readonly topic: string;
  readonly lane: Lane;
  readonly labels: readonly string[];
  /** Of the list of subscriptions. */
  readonly version: number;
  /** By performance.now(). */
  until: number;

  constructor(topic: string, lane: Lane, labels: readonly string[], version: number, until: number) {
    this.topic = topic;
    this.lane = lane;
    this.labels = labels;
    this.version = version;
    this.until = until;
  }
}

export interface RoutesParts {
  readonly index: SubscriptionIndex;
  readonly streams: Streams;
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
    if (route === undefined || now.steady >= route.until || route.version !== this.#parts.index.version)
      return undefined;
    return route;
  }

  /** Whoever lines up for room, has a schema or a priority of its own, is looked up each time. */
  note({ to, topic, priority, sync, keepsLink }: Parcel, targets: readonly Target[], outcome: Outcome): void {
    if (to !== undefined || sync !== "none" || keepsLink || priority !== DEFAULT_PRIORITY) return;
    if (outcome.stored.length < targets.length) return;
    const until = performance.now() + ROUTE_FOR_MS;
    const { index, streams } = this.#parts;
    const lane = streams.laneTo(priority, targets);
    if (lane === undefined || this.#mayHaveSchema(topic)) return;
    if (this.#routes.size >= MAX_ROUTES) this.#routes.clear();
    this.#routes.set(topic, new Route(topic, lane, [...outcome.stored], index.version, until));
  }

  clear(): void {
    this.#routes.clear();
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
