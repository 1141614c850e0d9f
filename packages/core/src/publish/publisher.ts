import type { Cause } from "../context.js";
import { DIRECT_TOPIC, priorityOf, type Envelope } from "../envelope.js";
import { isUlid } from "../message-name.js";
import type { Spool } from "../spool.js";
import { whenReady } from "../when-ready.js";
import { Composer } from "./composer.js";
import { Express, type Header } from "./express.js";
import type { SyncLevel } from "./fan-out.js";
import { incomplete } from "./incomplete.js";
import { Outbox } from "./outbox.js";
import type { Outcome } from "./parcel.js";
import { checkOptions, DEFAULTS, NO_OPTIONS, type PublishOptions, type PublishResult } from "./publish-options.js";
import { Receipt } from "./receipt.js";
import { SchemaGate } from "./schema-gate.js";

/** What the bus itself adds to a request. */
export interface Question {
  readonly id: string;
  /** An address of this bus's own. */
  readonly replyTo: string;
  /** How long somebody waits for the answer, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** A message that is answered, as far as its answer goes by it. */
export interface Answered {
  readonly topic: string;
  readonly cause: Cause;
}

/** Each time after so many publishes … */
const BREATHE_AFTER = 256;
/** … that took less than this, the event loop gets a turn, in milliseconds. */
const IN_HASTE_MS = 25;

/** The first stage of a message: checked, composed, handed to the outbox, and its outcome told. */
export class Publisher {
  readonly #spool: Spool;
  readonly #sync: SyncLevel;
  readonly #cause: Cause | undefined;
  readonly #composer: Composer;
  readonly #gate: SchemaGate;
  readonly #outbox: Outbox;
  readonly #express: Express;
  #count = 0;
  /** By performance.now(). */
  #breathedAt = 0;

  /** @param cause what led to messages that are not published inside another one's handler */
  constructor(spool: Spool, sync: SyncLevel, cause?: Cause) {
    this.#spool = spool;
    this.#sync = sync;
    this.#cause = cause;
    this.#composer = new Composer(spool, cause);
    this.#gate = new SchemaGate(spool.schemas);
    this.#outbox = new Outbox(spool);
    this.#express = new Express(spool, this.#outbox);
  }

  /** @returns a promise when it has to wait: for the rest of the tick, a schema, the disk, or room @throws as `Bus.publish` */
  publish(
    destination: string,
    data: unknown,
    options: PublishOptions = NO_OPTIONS,
  ): PublishResult | Promise<PublishResult> {
    const sent = options === NO_OPTIONS ? this.#sendPlain(destination, data) : undefined;
    return this.#breathe(sent ?? this.#publish(destination, data, options));
  }

  /** Publishes a request, which expires when nobody waits for its answer any more. @returns and @throws as `publish` */
  ask(
    destination: string,
    data: unknown,
    question: Question,
    options: PublishOptions = NO_OPTIONS,
  ): PublishResult | Promise<PublishResult> {
    const sent = options === NO_OPTIONS ? this.#sendRequest(destination, data, question) : undefined;
    if (sent !== undefined) return this.#breathe(sent);
    const asking = { expiresInMs: question.timeoutMs, ...options, ...question, mandatory: true };
    return this.#breathe(this.#publish(destination, data, asking));
  }

  /** Publishes an answer. @param options of which `type` may be the bus's own @returns and @throws as `publish` */
  answer(
    address: string,
    message: Answered,
    data: unknown,
    options: PublishOptions,
  ): PublishResult | Promise<PublishResult> {
    const sent = hasTypeOnly(options) ? this.#sendReply(address, message, data, options.type) : undefined;
    const answering = sent ?? this.#publish(address, data, { topic: message.topic, cause: message, ...options });
    return this.#breathe(answering);
  }

  /** Publishes an envelope that was written, and let pass, for a channel. @param text of it @returns and @throws as `publish` */
  forward(text: string, options: PublishOptions): PublishResult | Promise<PublishResult> {
    return this.#breathe(this.#send(JSON.parse(text) as Envelope, text, { ...options, mandatory: true }));
  }

  /** Resolves when everything handed in so far is settled. */
  async drain(): Promise<void> {
    await this.#gate.whenOpen();
    await this.#outbox.drain();
  }

  /** What waits for room is refused with ERR_CLOSED; everything else has been settled by then. */
  async close(): Promise<void> {
    await this.#gate.whenOpen();
    await this.#outbox.close();
  }

  /**
   * Whoever awaits one publish after another never gives the event loop a turn, since each is done before it returns: timers,
   * sockets and Ctrl-C would wait for ever.
   */
  #breathe(result: PublishResult | Promise<PublishResult>): PublishResult | Promise<PublishResult> {
    if (++this.#count % BREATHE_AFTER !== 0) return result;
    const now = performance.now();
    const isInHaste = now - this.#breathedAt < IN_HASTE_MS;
    this.#breathedAt = now;
    if (!isInHaste) return result;
    return result instanceof Promise ? result.then(nextTurn) : nextTurn(result);
  }

  #sendPlain(destination: string, data: unknown): PublishResult | Promise<PublishResult> | undefined {
    const to = addressIn(destination);
    const topic = to === undefined ? destination : DIRECT_TOPIC;
    // Headers have all of their fields, and in this order, so that V8 makes one kind of object of them.
    const header = {
      to,
      topic,
      type: topic,
      id: undefined,
      cause: undefined,
      replyTo: undefined,
      expiresInMs: undefined,
    };
    return this.#sendAtOnce(header, data, NO_OPTIONS);
  }

  #sendRequest(
    destination: string,
    data: unknown,
    { id, replyTo, timeoutMs, signal }: Question,
  ): PublishResult | Promise<PublishResult> | undefined {
    signal?.throwIfAborted();
    const to = addressIn(destination);
    const topic = to === undefined ? destination : DIRECT_TOPIC;
    const header = { to, topic, type: topic, id, cause: undefined, replyTo, expiresInMs: timeoutMs };
    const options = { id, mandatory: true, timeoutMs, signal };
    return this.#sendAtOnce(header, data, options);
  }

  #sendReply(
    to: string,
    { topic, cause }: Answered,
    data: unknown,
    type = topic,
  ): PublishResult | Promise<PublishResult> | undefined {
    const header = { to, topic, type, id: undefined, cause, replyTo: undefined, expiresInMs: undefined };
    return this.#sendAtOnce(header, data, NO_OPTIONS);
  }

  /** @param options of the way by a file of its own, should it have to be sent again @returns undefined when it has to go the long way */
  #sendAtOnce(
    header: Header,
    data: unknown,
    options: PublishOptions,
  ): PublishResult | Promise<PublishResult> | undefined {
    if (!this.#gate.isOpen || this.#sync !== "none") return undefined;
    const sent = this.#express.send(header, data, this.#cause);
    if (sent === undefined) return undefined;
    const { id, topic, text, route, isStored } = sent;
    // A list of its own: what the caller does with it is not for the next one.
    if (isStored) return { id, topic, subscriptions: [...route.labels], full: [] };
    return this.#send(JSON.parse(text) as Envelope, text, options);
  }

  #publish(destination: string, data: unknown, options: PublishOptions): PublishResult | Promise<PublishResult> {
    if (options !== NO_OPTIONS) checkOptions(options);
    options.signal?.throwIfAborted();
    const envelope = this.#composer.compose(destination, data, options);
    const text = this.#composer.serialize(envelope);
    return whenReady(this.#gate.pass(envelope, text), () => this.#send(envelope, text, options));
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

  #report(envelope: Envelope, outcome: Outcome, options: PublishOptions): PublishResult {
    const { stored, full, failed, keptPaths } = outcome;
    if (failed.length > 0 || (full.length > 0 && options.onFull !== "drop")) {
      for (const path of keptPaths) this.#outbox.forget(path);
      const details = { id: envelope.id, stored, missing: [...failed.map(({ label }) => label), ...full] };
      throw incomplete(envelope.to ?? envelope.topic, details, failed[0]?.error);
    }
    const result = { id: envelope.id, topic: envelope.topic, subscriptions: stored, full };
    if (options.receipt !== true) return result;
    return { ...result, receipt: new Receipt(this.#spool.fileSystem, keptPaths, stored.length, envelope.expirytime) };
  }
}

function addressIn(destination: string): string | undefined {
  return destination[0] === "@" ? destination : undefined;
}

function hasTypeOnly(options: PublishOptions): boolean {
  for (const name in options) if (name !== "type") return false;
  return true;
}

function nextTurn(result: PublishResult): Promise<PublishResult> {
  return new Promise((resolve) => setImmediate(resolve, result));
}
