/** A process with a bus that does what its parent says. */
import fs from "node:fs";
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import type { Bus } from "#core/bus.js";
import { createBus } from "#core/open-bus.js";
import { Outbox } from "#core/publish/outbox.js";
import type { PublishOptions } from "#core/publish/publish-options.js";
import { isBusError } from "#core/errors.js";
import type { Message } from "#core/subscribe/message.js";
import type { SubscribeOptions } from "#core/subscribe/open-subscription.js";

/** What a handler does with a message. */
export type PuppetDeed =
  | "ack"
  /** Never comes to an end. */
  | "hang"
  /** Comes to an end once told. */
  | "wait"
  /** Acknowledges what is not `{ poison: true }`, which kills the process; the rest only after all is there that will be. */
  | "die of poison";

/** One handling of a message. */
export interface Handling {
  readonly id: string;
  readonly data: unknown;
  readonly attempt: number;
}

const spoolPath = process.argv[2] ?? "";
const realNow = Date.now;
const ballast: number[] = [];
const PUBLISHES_IN_A_ROW = 5;
let bus: Bus | undefined;
let stream = { next: 0, isOver: true, byShortWay: 0 };
let proceed: () => void = () => undefined;
const told = new Promise<void>((resolve) => (proceed = resolve));

const puppet = {
  async open(options: { rescanMs?: number; watch?: "auto" | "native" | "polling" } = {}): Promise<void> {
    bus = await createBus({ spool: spoolPath, rescanMs: 50, ...options }, { env: {} });
  },
  async subscribe(pattern: string, options: SubscribeOptions, deed: PuppetDeed): Promise<string> {
    const subscription = await opened().subscribe(pattern, { onError: () => undefined, ...options }, (message) =>
      handle(message, deed),
    );
    return subscription.name;
  },
  pid: () => Promise.resolve(process.pid),
  async publish(destination: string, data: unknown, options?: PublishOptions): Promise<readonly string[]> {
    const { subscriptions } = await opened().publish(destination, data, options);
    return subscriptions;
  },
  /** In ticks of `together`, whose messages may share a file. */
  async publishMany(destination: string, count: number, together: number): Promise<void> {
    for (let first = 0; first < count; first += together) {
      const tick = Array.from({ length: Math.min(together, count - first) }, (_, n) => first + n);
      await Promise.all(tick.map((n) => opened().publish(destination, n)));
    }
  },
  /**
   * Publishes one number after the other until `stopPublishing()`, a few in a row. Answers at once.
   * @param pauseMs between rows; 0: no longer than it takes to hear what the parent asks
   */
  async startPublishing(destination: string, pauseMs: number): Promise<void> {
    countShortWay();
    stream = { next: 0, isOver: false, byShortWay: 0 };
    void publishOn(destination, pauseMs, stream);
  },
  /** The number that is published next: in a call of `publish()` that begins after this one. */
  nextNumber: () => Promise.resolve(stream.next),
  /** @returns how many numbers were published, and how many of them by the short way */
  async stopPublishing(): Promise<{ count: number; byShortWay: number }> {
    stream.isOver = true;
    return { count: stream.next, byShortWay: stream.byShortWay };
  },
  /** Keeps the event loop busy. Answers before, because it cannot while it does. */
  async block(ms: number): Promise<void> {
    setImmediate(() => {
      const end = performance.now() + ms;
      while (performance.now() < end);
    });
  },
  /** The wall clock is so much ahead of the real one, or behind it, from now on. */
  async shiftClock(ms: number): Promise<void> {
    Date.now = () => realNow() + ms;
  },
  async proceed(): Promise<void> {
    proceed();
  },
  /** Opens files until the kernel refuses. @returns the errno */
  async useUpDescriptors(): Promise<string | undefined> {
    try {
      for (;;) ballast.push(fs.openSync("/dev/null", "r"));
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
  },
  async freeDescriptors(): Promise<void> {
    for (const fd of ballast.splice(0)) fs.closeSync(fd);
  },
  async reopen(): Promise<void> {
    await opened().close();
    await puppet.open();
  },
};

export type PuppetMethods = typeof puppet;

function opened(): Bus {
  if (bus === undefined) throw new Error("open the bus first");
  return bus;
}

async function publishOn(destination: string, pauseMs: number, numbers: typeof stream): Promise<void> {
  while (!numbers.isOver) {
    const n = numbers.next++;
    await opened().publish(destination, n);
    if (n % PUBLISHES_IN_A_ROW === 0) await (pauseMs === 0 ? nextTurn() : delay(pauseMs));
  }
}

function countShortWay(): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method
  const { sendBy } = Outbox.prototype;
  Outbox.prototype.sendBy = function (...args) {
    const isStored = sendBy.apply(this, args);
    if (isStored === true) stream.byShortWay++;
    return isStored;
  };
}

async function handle({ id, data, attempt }: Message, deed: PuppetDeed): Promise<void> {
  process.send?.({ handled: { id, data, attempt } satisfies Handling });
  if (deed === "hang") await new Promise(() => undefined);
  if (deed === "wait") await told;
  if (deed !== "die of poison") return;
  // The report above has to be out; and the innocent shall be in work beside it when it dies.
  await new Promise((resolve) => setTimeout(resolve, 100));
  if ((data as { poison?: boolean }).poison === true) process.kill(process.pid, "SIGKILL");
}

process.on("message", ({ call, method, args }: { call: number; method: keyof PuppetMethods; args: never[] }) => {
  const action = puppet[method] as (...args: never[]) => Promise<unknown>;
  action(...args).then(
    (result) => process.send?.({ call, result }),
    (error: unknown) => process.send?.({ call, error: isBusError(error) ? plain(error) : { message: String(error) } }),
  );
});

function plain({
  code,
  message,
  fix,
  details,
}: {
  code: string;
  message: string;
  fix?: string | undefined;
  details?: unknown;
}) {
  return { code, message, fix, details };
}
// Nobody is left to tell it anything.
process.on("disconnect", () => process.exit());
process.send?.("ready");
