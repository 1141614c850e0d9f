import { DEFAULT_PRIORITY } from "../envelope.js";
import { EnvelopeFrame, replyTypeOf } from "../envelope-frame.js";
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

/** The way that a message took a moment ago, when it was appended to a stream. */
export class Route {
  readonly to: string | undefined;
  readonly topic: string;
  readonly lane: Lane;
  readonly labels: readonly string[];
  /** Of the list of subscriptions. */
  readonly version: number;
  /** When what it rests on was asked; by performance.now(). */
  askedAt: number;
  readonly #source: string;
  readonly #frame: EnvelopeFrame;
  readonly #replyType: string;
  #replyFrame: EnvelopeFrame | undefined;

  constructor(
    source: string,
    { to, topic }: Parcel,
    { lane, labels, version, askedAt }: Pick<Route, "lane" | "labels" | "version" | "askedAt">,
  ) {
    this.to = to;
    this.topic = topic;
    this.lane = lane;
    this.labels = labels;
    this.version = version;
    this.askedAt = askedAt;
    this.#source = source;
    this.#frame = new EnvelopeFrame(source, topic, topic, to);
    this.#replyType = replyTypeOf(topic);
    this.#replyFrame = undefined;
  }

  /** @returns undefined for a type that would have to be checked */
  frameFor(type: string): EnvelopeFrame | undefined {
    if (type === this.topic) return this.#frame;
    if (type !== this.#replyType) return undefined;
    return (this.#replyFrame ??= new EnvelopeFrame(this.#source, type, this.topic, this.to));
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

/** The ways that messages took: what was found out for one, the next need not ask. */
export class Routes {
  readonly #spool: Spool;
  readonly #index: SubscriptionIndex;
  readonly #streams: Streams;
  readonly #fullOf: RoutesParts["fullOf"];
  /** By topic, or by address and topic. */
  readonly #routes = new Map<string, Route>();

  constructor(spool: Spool, { index, streams, fullOf }: RoutesParts) {
    this.#spool = spool;
    this.#index = index;
    this.#streams = streams;
    this.#fullOf = fullOf;
  }

  /** @returns undefined when the next message has to be looked up */
  find(to: string | undefined, topic: string, now: Moment): Route | undefined {
    const route = this.#routes.get(keyOf(to, topic));
    if (route === undefined || route.isOver(now) || route.version !== this.#index.version) return undefined;
    return route;
  }

  /** Whoever lines up for room, has a schema or a priority of its own, is looked up each time. */
  note(parcel: Parcel, targets: readonly Target[], outcome: Outcome): void {
    const { to, topic, priority, sync, keepsLink } = parcel;
    if (sync !== "none" || keepsLink || priority !== DEFAULT_PRIORITY || outcome.stored.length < targets.length) return;
    const askedAt = performance.now();
    const lane = this.#streams.laneTo(priority, targets);
    // Without a stream, as where files are counted, there is nothing to append to.
    if (lane?.stream === undefined || this.#mayHaveSchema(topic)) return;
    if (this.#routes.size >= MAX_ROUTES) this.#routes.clear();
    const way = { lane, labels: [...outcome.stored], version: this.#index.version, askedAt };
    this.#routes.set(keyOf(to, topic), new Route(this.#spool.source, parcel, way));
  }

  /**
   * Asks again what the next message would, so that it need not; to be called after a look at the subscriptions. Where another way
   * is to be taken now, the next message finds it.
   */
  renew(route: Route): void {
    const askedAt = performance.now();
    const key = keyOf(route.to, route.topic);
    if (this.#routes.get(key) !== route) return;
    if (this.#stillLeads(route)) route.askedAt = askedAt;
    else this.#routes.delete(key);
  }

  clear(): void {
    this.#routes.clear();
  }

  #stillLeads({ to, topic, lane, version }: Route): boolean {
    if (version !== this.#index.version) return false;
    const targets = this.#index.targetsOf(to, topic);
    return (
      this.#streams.laneTo(lane.priority, targets) === lane &&
      this.#fullOf(targets).length === 0 &&
      !this.#mayHaveSchema(topic)
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

/** No topic has a space in it. */
function keyOf(to: string | undefined, topic: string): string {
  return to === undefined ? topic : `${to} ${topic}`;
}
