import { atExit } from "../at-exit.js";
import { UnfitFile } from "../bounded-read.js";
import type { Refusal } from "../deliver/refusal.js";
import { BusError, fromErrno } from "../errors.js";
import { untilKnown } from "../freshness.js";
import { MAX_TIMER_MS, refuseUnknownOptions, requireInteger } from "../options.js";
import { isAlive } from "../presence.js";
import type { CurName } from "../settle/claim-names.js";
import { runAll } from "../run-all.js";
import type { Spool } from "../spool.js";
import { SubscriptionDirectories } from "../subscription-directories.js";
import { isReservedName, labelOf, type SubscriptionRecord } from "../subscription-record.js";
import { isSubscriptionName, parseAddress, parsePattern } from "../topics.js";
import { watchDirectory } from "../watch/choose.js";
import type { WatchMode } from "../watch/watcher.js";
import { Consumer } from "./consumer.js";
import type { Backoff } from "./settlement.js";
import { ConsumerLock, heartbeatAgeMs, presenceIn, type HeldLocks } from "./consumer-lock.js";
import {
  adaptSubscription,
  createSubscription,
  placeOf,
  removeSubscription,
  type SubscriptionWish,
} from "./make-subscription.js";
import type { Message, Reply } from "./message.js";
import type { PresenceKeeper } from "./presence-keeper.js";
import { Subscription } from "./subscription.js";

export interface SubscribeOptions {
  /**
   * A name that keeps the subscription, and what it receives, while nobody consumes it. 1 to 64 of A-Z a-z 0-9 _ -.
   * @default ephemeral: it lives as long as this process
   */
  readonly durable?: string | undefined;
  /** A name of work that several accounts share: each message goes to one of them. */
  readonly queue?: string | undefined;
  /** Lets several processes of this account consume the durable subscription, each message by one. @default false */
  readonly shared?: boolean | undefined;
  /** How many messages a handler is given at a time. 1 keeps them in order. @default 1 */
  readonly concurrency?: number | undefined;
  /** Deliveries of one message before it is given up. @default 5 */
  readonly maxAttempts?: number | undefined;
  /** The pause before another attempt. @default from 1 s, doubled each time, to 60 s */
  readonly backoff?: Partial<Backoff> | undefined;
  /** Files that may wait; then publishers wait, fail or drop. @default the spool's limit, 100000 */
  readonly maxBacklog?: number | undefined;
  /**
   * With the iterator: asking for the next message acknowledges the one before, unless it is settled.
   * @default true for an ephemeral subscription, false for one whose messages can be delivered again
   */
  readonly autoAck?: boolean | undefined;
  /** With the iterator: unsettled messages at which it waits. @default 1000 */
  readonly maxInFlight?: number | undefined;
  /** Called for each message that is not delivered but kept in `dead/`. */
  readonly onRefused?: ((refusal: Refusal) => void) | undefined;
  /** Called when a handler threw or rejected; its message is delivered again. @default a process warning */
  readonly onError?: ((error: unknown, message: Message) => void) | undefined;
  /** Closes the subscription. */
  readonly signal?: AbortSignal | undefined;
}

// prettier-ignore
const OPTIONS: ReadonlySet<string> = new Set([
  "durable", "queue", "shared", "concurrency", "maxAttempts", "backoff", "maxBacklog", "autoAck", "maxInFlight",
  "onRefused", "onError", "signal",
] satisfies (keyof SubscribeOptions)[]);

const SUBSCRIBE_DEFAULTS = Object.freeze({
  concurrency: 1,
  maxAttempts: 5,
  backoff: Object.freeze({ minMs: 1_000, maxMs: 60_000 }),
  maxInFlight: 1_000,
});

/** What a bus lends to the subscriptions that it opens. */
export interface SubscriptionHost {
  readonly spool: Spool;
  readonly presence: PresenceKeeper;
  readonly watch: WatchMode;
  readonly reply: Reply;
  readonly heldLocks: HeldLocks;
  /** Distinguishes the consumers of one bus. */
  nextConsumer(): string;
  /**
   * Calls `tick` from time to time until the returned function is called.
   * @param keepsProcess whether the process is to run on because of this @default true
   */
  everyNowAndThen(tick: () => Promise<void>, keepsProcess?: boolean): () => void;
}

/** @throws TypeError for options that do not go together, BusError ERR_TOPIC_INVALID */
export function wishOf(
  spool: Spool,
  pattern: string | readonly string[],
  options: SubscribeOptions,
): Omit<SubscriptionWish, "consumer"> {
  refuseUnknownOptions("subscribe", options, OPTIONS);
  requireInteger("concurrency", options.concurrency, 1, 10_000);
  requireInteger("maxAttempts", options.maxAttempts, 1, 1_000);
  requireInteger("maxBacklog", options.maxBacklog, 1, 1_000_000_000);
  requireInteger("maxInFlight", options.maxInFlight, 1, 1_000_000);
  requireInteger("backoff.minMs", options.backoff?.minMs, 1, MAX_TIMER_MS);
  requireInteger("backoff.maxMs", options.backoff?.maxMs, 1, MAX_TIMER_MS);
  const limits = {
    ...(options.maxBacklog === undefined ? {} : { maxBacklog: options.maxBacklog }),
    ...(options.maxAttempts === undefined ? {} : { maxAttempts: options.maxAttempts }),
  };
  const patterns = typeof pattern === "string" ? [pattern] : [...pattern];
  if (patterns.length === 0) throw new TypeError("subscribe needs at least one pattern");
  const [first] = patterns as [string];
  if (patterns.length === 1 && first.startsWith("@")) return { ...inboxWish(spool, first, options), ...limits };
  for (const one of patterns) parsePattern(one);
  return { ...namedWish(options), patterns, ...limits };
}

function inboxWish(
  spool: Spool,
  address: string,
  options: SubscribeOptions,
): Pick<SubscriptionWish, "kind" | "name" | "patterns" | "address"> {
  if (options.durable !== undefined || options.queue !== undefined) {
    throw new TypeError("an inbox is durable by itself: leave durable and queue out");
  }
  const { user, subscription } = parseAddress(address);
  if (user !== spool.user || subscription !== "inbox") {
    throw new BusError(
      "ERR_ACCESS",
      `cannot subscribe to ${address}: only ${user} reads that inbox, and this process runs as ${spool.user}`,
      {
        fix: `subscribe to "@${spool.user}", or run this as ${user}`,
      },
    );
  }
  return { kind: "inbox", name: "inbox", patterns: [], address };
}

function namedWish(options: SubscribeOptions): Pick<SubscriptionWish, "kind" | "name"> {
  const { durable, queue, shared } = options;
  if (durable !== undefined && queue !== undefined)
    throw new TypeError("a subscription is durable or a queue, not both");
  const name = durable ?? queue;
  if (name === undefined) {
    if (shared === true) throw new TypeError("shared needs a durable name that the processes share");
    return { kind: "ephemeral", name: "" };
  }
  if (typeof name !== "string" || !isSubscriptionName(name) || isReservedName(name)) {
    throw new TypeError(
      `${JSON.stringify(name)} cannot name a subscription: 1 to 64 of A-Z a-z 0-9 _ -, not "inbox", and not starting with "tmp-" or "reply-"`,
    );
  }
  return { kind: queue === undefined ? "durable" : "queue", name };
}

/**
 * Opens a subscription: when it resolves, every publish that starts afterwards reaches it.
 * @throws BusError ERR_BUSY, ERR_SQUATTED, ERR_ACCESS, ERR_DISK_FULL, ERR_TOO_MANY_FILES …
 */
export async function openSubscription<Data>(
  host: SubscriptionHost,
  partial: Omit<SubscriptionWish, "consumer">,
  options: SubscribeOptions,
): Promise<Subscription<Data>> {
  options.signal?.throwIfAborted();
  const { spool } = host;
  const undo: (() => unknown)[] = [];
  try {
    const presence = await host.presence.ensure();
    const isShortLived = partial.kind === "ephemeral" || partial.kind === "reply";
    const isExclusive = !isShortLived && partial.kind !== "queue" && options.shared !== true;
    const wish: SubscriptionWish = {
      ...partial,
      ...(isShortLived ? { name: partial.name || `tmp-${spool.names.random(16)}`, consumer: presence } : {}),
      // Events tell that a stream has grown; and an inbox can be looked into while it is read.
      ...((isShortLived || isExclusive) && partial.kind !== "inbox" && host.watch !== "polling"
        ? { streams: true }
        : {}),
    };
    const place = placeOf(spool, wish);
    createSubscription(spool, wish);
    if (isShortLived) {
      const cancel = atExit(() => removeSubscription(spool, place));
      undo.push(() => {
        cancel();
        removeSubscription(spool, place);
      });
    }
    let consumer: Consumer | undefined = undefined;
    if (isExclusive) {
      const onLost = (error: BusError) => consumer?.fail(error);
      const lock = await ConsumerLock.acquire(spool, place, presence, host.heldLocks, onLost);
      undo.push(() => lock.release());
      undo.push(host.everyNowAndThen(() => lock.look()));
    }
    const record = isShortLived ? compose(wish, spool) : adaptSubscription(spool, wish);
    const changedAt = performance.now();
    const directories = openDirectories(spool, place, record);
    undo.push(() => directories.close());
    const self = host.nextConsumer();
    consumer = new Consumer(spool, directories, {
      consumer: self,
      maxAttempts: options.maxAttempts ?? record.maxAttempts ?? SUBSCRIBE_DEFAULTS.maxAttempts,
      backoff: { ...SUBSCRIBE_DEFAULTS.backoff, ...options.backoff },
      keepsSeen: !isShortLived && wish.kind !== "queue",
      isShared: !isExclusive && !isShortLived,
      isDead: isExclusive ? (claim) => claim.consumer !== self : (claim) => isConsumerDead(spool, claim),
      onRefused: options.onRefused,
    });
    if (!isExclusive && !isShortLived) undo.push(host.presence.consumes(labelOf(record)));
    const subscription = await watchAndWrap<Data>(host, record, directories, consumer, options, undo);
    // Publishers look for the address of a direct message that they do not know (publish/subscription-index.ts).
    if (record.address === undefined) await untilKnown(changedAt);
    closeOnAbort(subscription, options.signal);
    return subscription;
  } catch (error) {
    // Why it cannot be is what counts, and not what else went wrong then.
    await runAll(undo.reverse()).catch(() => undefined);
    throw fromErrno(error, "subscribe");
  }
}

function closeOnAbort<Data>(subscription: Subscription<Data>, signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  const close = () =>
    void subscription
      .close()
      .catch((error: unknown) => process.emitWarning((error as Error).message, "AgentbusWarning"));
  const forget = () => signal.removeEventListener("abort", close);
  signal.addEventListener("abort", close);
  subscription.done.then(forget, forget);
  // It may have been aborted while the subscription was opened.
  if (signal.aborted) close();
}

async function watchAndWrap<Data>(
  host: SubscriptionHost,
  record: SubscriptionRecord,
  directories: SubscriptionDirectories,
  consumer: Consumer,
  options: SubscribeOptions,
  undo: (() => unknown)[],
): Promise<Subscription<Data>> {
  undo.push(() => consumer.close());
  const watcher = await watchDirectory(directories.new.base, {
    mode: host.watch,
    path: directories.new.path,
    onChange: (name, isNext) => (name === undefined ? consumer.wake() : consumer.notice(name, isNext === true)),
    onError: (error) => process.emitWarning(`${error.message}; looking every now and then instead`, "AgentbusWarning"),
  });
  undo.push(() => watcher.close());
  // After the watch is in place: what dies or arrives from here on is noticed.
  await consumer.start();
  undo.push(host.everyNowAndThen(() => consumer.tick()));
  return new Subscription<Data>({
    name: labelOf(record),
    patterns: record.patterns,
    consumer,
    reply: host.reply,
    onError: options.onError,
    autoAck: options.autoAck ?? record.kind === "ephemeral",
    maxInFlight: options.maxInFlight ?? SUBSCRIBE_DEFAULTS.maxInFlight,
    release: async () => {
      try {
        await runAll(undo.splice(0).reverse());
      } catch (error) {
        throw fromErrno(error, "close the subscription", directories.path);
      }
    },
  });
}

function compose(wish: SubscriptionWish, spool: Spool): SubscriptionRecord {
  return { layout: 1, ...wish, user: spool.user, createdAt: new Date().toISOString() };
}

function openDirectories(
  spool: Spool,
  { parentDir, directoryName }: ReturnType<typeof placeOf>,
  record: SubscriptionRecord,
): SubscriptionDirectories {
  try {
    return new SubscriptionDirectories(spool, parentDir, directoryName, record);
  } catch (error) {
    throw fromErrno(error, "open the subscription", `${parentDir}/${directoryName}`);
  }
}

/** A claim in a shared subscription or a queue names its consumer, which shows its presence in `run/`. */
function isConsumerDead(spool: Spool, { user, consumer }: CurName): boolean {
  const token = consumer.split("-")[0] ?? "";
  try {
    const presence = presenceIn(spool, `${spool.path}/run/${user}/${token}.json`);
    return presence?.token !== token || !isAlive(presence, () => heartbeatAgeMs(spool, presence));
  } catch (error) {
    // It is there and not for us to read: to be on the safe side it lives.
    if (error instanceof UnfitFile) return false;
    throw error;
  }
}
