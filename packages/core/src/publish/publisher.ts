import { currentCause, type Cause } from "../context.js";
import { composeEnvelope, DIRECT_TOPIC, priorityOf, type Envelope, type EnvelopeOptions } from "../envelope.js";
import { BusError, fromErrno } from "../errors.js";
import { isUlid } from "../message-name.js";
import { isNestedTooDeeply, MAX_NESTING } from "../nesting.js";
import { MAX_TIMER_MS, refuseUnknownOptions, requireInteger, requireOneOf } from "../options.js";
import type { Spool } from "../spool.js";
import { parseAddress, parseTopic } from "../topics.js";
import { whenReady } from "../when-ready.js";
import type { SyncLevel } from "./fan-out.js";
import { Express } from "./express.js";
import { Outbox } from "./outbox.js";
import type { FullPolicy, Outcome } from "./parcel.js";
import { Receipt } from "./receipt.js";

export interface PublishOptions extends EnvelopeOptions {
  /**
   * Repeats an earlier publish: subscriptions that have a message of this id already do not get it twice. 1 to 128 printable
   * ASCII characters. @default a new ULID
   */
  readonly id?: string | undefined;
  /** Of a direct message, which goes to an address and not to a topic. @default "direct" */
  readonly topic?: string | undefined;
  /** Makes it an error when nobody is subscribed. @default false */
  readonly mandatory?: boolean | undefined;
  /** Keeps a link to the message, so that `result.receipt` can tell when everybody has acknowledged. @default false */
  readonly receipt?: boolean | undefined;
  /** @default "error": whoever has room gets it, and ERR_BACKLOG names the others */
  readonly onFull?: FullPolicy | undefined;
  /** How long `onFull: "wait"` waits, in milliseconds. @default 30000 */
  readonly timeoutMs?: number | undefined;
  /** What "published" survives: "none" the death of any process, "full" a power cut. @default the bus's */
  readonly sync?: SyncLevel | undefined;
  /** The message that led to this one, where it is not published inside that message's handler. */
  readonly cause?: { readonly cause: Cause } | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PublishResult {
  readonly id: string;
  readonly topic: string;
  /** The subscriptions that store the message now, such as "alice~ci" or "queue:work". Empty when nobody is subscribed. */
  readonly subscriptions: readonly string[];
  /** The subscriptions that went without it, with `onFull: "drop"`. */
  readonly full: readonly string[];
  /** With `receipt: true`. */
  readonly receipt?: Receipt;
}

// prettier-ignore
const OPTIONS: ReadonlySet<string> = new Set([
  "id", "topic", "mandatory", "receipt", "onFull", "timeoutMs", "sync", "cause", "signal",
  "type", "subject", "priority", "expiresInMs", "correlationId", "replyTo", "traceparent", "tracestate",
  "dataContentType", "dataSchema", "dataRef", "sequence", "extensions",
] satisfies (keyof PublishOptions)[]);

const NONE: PublishOptions = Object.freeze({});
const DEFAULTS = Object.freeze({ onFull: "error", timeoutMs: 30_000 } as const);

/** Each time after so many publishes … */
const BREATHE_AFTER = 256;
/** … that took less than this, the event loop gets a turn, in milliseconds. */
const IN_HASTE_MS = 25;

/** The first stage of a message: checked, composed, handed to the outbox, and its outcome told. */
export class Publisher {
  readonly #spool: Spool;
  readonly #sync: SyncLevel;
  readonly #cause: Cause | undefined;
  readonly #outbox: Outbox;
  readonly #express: Express;
  /** Set while a publish waits for its topic's schema to load: the ones after it must not overtake. */
  #preparing: Promise<void> | undefined;
  #count = 0;
  /** By performance.now(). */
  #breathedAt = 0;

  /** @param cause what led to messages that are not published inside another one's handler */
  constructor(spool: Spool, sync: SyncLevel, cause?: Cause) {
    this.#spool = spool;
    this.#sync = sync;
    this.#cause = cause;
    this.#outbox = new Outbox(spool);
    this.#express = new Express(spool, this.#outbox);
  }

  /** @returns a promise when it has to wait: for the rest of the tick, a schema, the disk, or room @throws as `Bus.publish` */
  publish(destination: string, data: unknown, options: PublishOptions = NONE): PublishResult | Promise<PublishResult> {
    const result = this.#publish(destination, data, options);
    return ++this.#count % BREATHE_AFTER === 0 ? this.#breathe(result) : result;
  }

  /**
   * Whoever awaits one publish after another never gives the event loop a turn, since each is done before it returns: timers,
   * sockets and Ctrl-C would wait for ever.
   */
  #breathe(result: PublishResult | Promise<PublishResult>): PublishResult | Promise<PublishResult> {
    const now = performance.now();
    const isInHaste = now - this.#breathedAt < IN_HASTE_MS;
    this.#breathedAt = now;
    if (!isInHaste) return result;
    return result instanceof Promise ? result.then(nextTurn) : nextTurn(result);
  }

  #publish(destination: string, data: unknown, options: PublishOptions): PublishResult | Promise<PublishResult> {
    if (options === NONE) {
      const sent = this.#sendAtOnce(destination, data);
      if (sent !== undefined) return sent;
    } else checkOptions(options);
    options.signal?.throwIfAborted();
    const to = destination.startsWith("@") ? destination : undefined;
    const envelope = this.#compose(destination, to, data, options);
    const text = this.#serialize(envelope);
    return whenReady(this.#satisfiesSchema(envelope, text), () => this.#send(envelope, text, options));
  }

  /** @returns undefined when it has to go the long way */
  #sendAtOnce(topic: string, data: unknown): PublishResult | Promise<PublishResult> | undefined {
    if (this.#preparing !== undefined || this.#sync !== "none") return undefined;
    const sent = this.#express.send(topic, data, this.#cause);
    if (sent === undefined) return undefined;
    const { id, text, route, isStored } = sent;
    // A list of its own: what the caller does with it is not for the next one.
    if (isStored) return { id, topic, subscriptions: [...route.labels], full: [] };
    return this.#send(JSON.parse(text) as Envelope, text, NONE);
  }

  #send(envelope: Envelope, text: string, options: PublishOptions): PublishResult | Promise<PublishResult> {
    const sending = this.#outbox.put({
      to: envelope.to,
      topic: envelope.topic,
      order: this.#placeOf(envelope.id, options.id === undefined),
      priority: priorityOf(envelope),
      text,
      sync: options.sync ?? this.#sync,
      isMandatory: options.mandatory ?? false,
      keepsLink: options.receipt ?? false,
      onFull: options.onFull ?? DEFAULTS.onFull,
      timeoutMs: options.timeoutMs ?? DEFAULTS.timeoutMs,
      signal: options.signal,
    });
    return whenReady(sending, (outcome) => this.#report(envelope, outcome, options));
  }

  /** Never before its id: receivers would take it for a copy that a neighbour put in front of earlier messages. */
  #placeOf(id: string, isNew: boolean): string {
    if (isNew) return id;
    const now = this.#spool.names.ulid();
    return isUlid(id) && id > now ? id : now;
  }

  /** Resolves when everything handed in so far is settled. */
  async drain(): Promise<void> {
    await this.#preparing;
    await this.#outbox.drain();
  }

  /** What waits for room is refused with ERR_CLOSED; everything else has been settled by then. */
  async close(): Promise<void> {
    await this.#preparing;
    await this.#outbox.close();
  }

  #compose(destination: string, to: string | undefined, data: unknown, options: PublishOptions): Envelope {
    if (to !== undefined) parseAddress(to);
    else if (options.topic !== undefined) {
      throw new TypeError(`the option "topic" is for direct messages; "${destination}" is a topic already`);
    }
    const topic = parseTopic(to === undefined ? destination : (options.topic ?? DIRECT_TOPIC));
    const envelope = composeEnvelope(
      {
        id: options.id ?? this.#spool.names.ulid(),
        source: this.#spool.source,
        topic,
        to,
        data,
        cause: options.cause?.cause ?? currentCause() ?? this.#cause,
        now: Date.now(),
      },
      options,
    );
    const { maxHops } = this.#spool.limits;
    if ((envelope.hops ?? 0) > maxHops) {
      throw new BusError(
        "ERR_HOPS",
        `cannot publish to ${destination}: ${maxHops} messages led to this one already, each published because of the one before`,
        {
          fix: `look for agents that answer each other (agentbus tail '**'), or raise limits.maxHops in ${this.#spool.path}/spool.json`,
          details: { hops: envelope.hops, causationid: envelope.causationid, correlationid: envelope.correlationid },
        },
      );
    }
    return envelope;
  }

  /** One line of JSON. */
  #serialize(envelope: Envelope): string {
    let text: string;
    try {
      text = `${JSON.stringify(envelope)}\n`;
    } catch (cause) {
      throw new TypeError(`data cannot be written as JSON: ${(cause as Error).message}`, { cause });
    }
    const { maxEnvelopeBytes } = this.#spool.limits;
    // Each character takes three bytes at the most.
    const bytes = text.length * 3 <= maxEnvelopeBytes ? text.length : Buffer.byteLength(text);
    if (bytes > maxEnvelopeBytes) {
      throw new BusError(
        "ERR_TOO_LARGE",
        `cannot publish to ${envelope.to ?? envelope.topic}: ${bytes} bytes, and the spool takes at most ${maxEnvelopeBytes}`,
        {
          fix: "store the data in a file that the group may read and publish its path as dataRef",
        },
      );
    }
    if (isNestedTooDeeply(text)) {
      throw new BusError(
        "ERR_TOO_LARGE",
        `cannot publish to ${envelope.to ?? envelope.topic}: data is nested more than ${MAX_NESTING} levels deep`,
        { fix: "publish it flatter, or as text: JSON.stringify(data)" },
      );
    }
    return text;
  }

  /** Resolves at once when the topic has no schema and nobody waits for one. */
  #satisfiesSchema(envelope: Envelope, text: string): Promise<void> | void {
    const { schemas } = this.#spool;
    // What the receivers will read is what counts: a Date is a string by then, and undefined properties are gone.
    const isChecked = schemas.knows(envelope.topic);
    const checked = isChecked ? schemas.check(envelope.topic, (JSON.parse(text) as Envelope).data) : undefined;
    if (!(checked instanceof Promise) && this.#preparing === undefined) return refuse(envelope, checked);
    const turn = this.#preparing ?? Promise.resolve();
    const mine = turn.then(() => checked);
    const settled: Promise<void> = mine.then(noop, noop).then(() => {
      if (this.#preparing === settled) this.#preparing = undefined;
    });
    this.#preparing = settled;
    return mine.then((violations) => refuse(envelope, violations));
  }

  #report(envelope: Envelope, outcome: Outcome, options: PublishOptions): PublishResult {
    const { stored, full, failed, keptPaths } = outcome;
    if (failed.length > 0 || (full.length > 0 && options.onFull !== "drop")) {
      for (const path of keptPaths) this.#outbox.forget(path);
      const details = { id: envelope.id, stored, missing: [...failed.map(({ label }) => label), ...full] };
      throw this.#incomplete(envelope.to ?? envelope.topic, details, failed[0]?.error);
    }
    const result = { id: envelope.id, topic: envelope.topic, subscriptions: stored, full };
    if (options.receipt !== true) return result;
    return { ...result, receipt: new Receipt(this.#spool.fileSystem, keptPaths, stored.length, envelope.expirytime) };
  }

  #incomplete(
    destination: string,
    details: { id: string; stored: readonly string[]; missing: readonly string[] },
    cause: unknown,
  ): BusError {
    const missing = details.missing.join(", ");
    const has = details.stored.length > 0 ? `; stored by ${details.stored.join(", ")}` : "";
    const again = `publish again with { id: "${details.id}" } to complete it without doubles`;
    if (cause === undefined) {
      return new BusError(
        "ERR_BACKLOG",
        `cannot publish to ${destination}: ${missing} holds as many messages as it allows${has}`,
        {
          fix: `start its consumer (agentbus status), then ${again}; or choose { onFull: "wait" } or "drop"`,
          details,
        },
      );
    }
    const error = fromErrno(cause, `publish to ${destination}`);
    if (details.stored.length === 0)
      return new BusError(error.code, error.message, { path: error.path, fix: error.fix, cause: error.cause, details });
    return new BusError(
      "ERR_PARTIAL",
      `published to ${destination} for some only: ${missing} did not get it (${error.message})${has}`,
      {
        path: error.path,
        fix: `${error.fix ?? "agentbus doctor"}; then ${again}`,
        cause: error,
        details,
      },
    );
  }
}

function checkOptions(options: PublishOptions): void {
  refuseUnknownOptions("publish", options, OPTIONS);
  requireOneOf("onFull", options.onFull, ["error", "wait", "drop"]);
  requireOneOf("sync", options.sync, ["none", "data", "full"]);
  requireInteger("priority", options.priority, 0, 9);
  requireInteger("timeoutMs", options.timeoutMs, 1, MAX_TIMER_MS);
}

function refuse(envelope: Envelope, violations: readonly string[] | undefined): void {
  if (violations === undefined) return;
  throw new BusError("ERR_SCHEMA", `cannot publish to ${envelope.topic}: ${violations.join("; ")}`, {
    fix: `see schemas/${envelope.topic}.schema.json in the spool`,
    details: { violations },
  });
}

function nextTurn(result: PublishResult): Promise<PublishResult> {
  return new Promise((resolve) => setImmediate(resolve, result));
}

function noop(): void {}
