import assert from "node:assert/strict";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bus } from "#core/bus.js";
import { createBus } from "#core/open-bus.js";
import { createSpool } from "#core/create-spool.js";
import { isBusError } from "#core/errors.js";
import type { Message } from "#core/subscribe/message.js";
import type { SubscribeOptions } from "#core/subscribe/open-subscription.js";
import type { Subscription } from "#core/subscribe/subscription.js";
import { isIntact, payload } from "../crash/journal.js";
import { publishTogether, UNSETTLED_PLACES, until } from "../support/personal-spool.js";
import { FaultyCalls, type Mishap } from "./faulty-calls.js";

/** What a consumer does with messages, in a spool of its own. */
export interface Deed {
  readonly name: string;
  /** @default { durable: "a" } */
  readonly options?: SubscribeOptions;
  /** Whether a consumer died before, in the middle of its work. @default false */
  readonly isAfterCrash?: boolean;
  /** Closes with messages in work, and subscribes again. @default false */
  readonly closes?: boolean;
  /** @default acknowledges */
  readonly handle?: (message: Message) => unknown;
}

/** One consumer in a spool of its own, whose calls may fail. */
export class SettleArena {
  readonly #deed: Deed;
  readonly #dir = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "agentbus-faults-")));
  readonly #faulty: FaultyCalls;
  readonly #handled: number[] = [];
  readonly #settled = new Set<number>();
  #expected: number[] = [];

  constructor(deed: Deed) {
    this.#deed = deed;
    this.#faulty = new FaultyCalls(this.#spoolPath);
  }

  /** Whether the call that was to fail was made. */
  get struck(): string | undefined {
    return this.#faulty.struck?.name;
  }

  get calls(): readonly string[] {
    return this.#faulty.calls;
  }

  get #spoolPath(): string {
    return join(this.#dir, "spool");
  }

  get #options(): SubscribeOptions {
    return { durable: "a", backoff: { minMs: 1, maxMs: 1 }, onError: () => undefined, ...this.#deed.options };
  }

  async play(mishap: Mishap | undefined): Promise<void> {
    try {
      await this.#prepare();
      const bus = await createBus(
        { spool: this.#spoolPath, rescanMs: 50 },
        { fileSystem: this.#faulty.watch.fileSystem, env: {} },
      );
      try {
        this.#faulty.arm(mishap);
        if (this.#deed.closes === true) await this.#openAndClose(bus);
        await this.#subscribe(bus, (message) => this.#handle(message));
        await until(() => this.#isDone(), 20_000);
        this.#faulty.disarm();
      } finally {
        await bus.close();
      }
      this.#check(mishap);
    } finally {
      fs.rmSync(this.#dir, { recursive: true, force: true });
    }
  }

  async #prepare(): Promise<void> {
    await createSpool({ spool: this.#spoolPath, env: {} });
    const bus = await createBus({ spool: this.#spoolPath }, { env: {} });
    await (await bus.subscribe("work", this.#options)).close();
    await publishTogether(bus, 3, (n) => bus.publish("work", payload("x", n)));
    for (const n of [3, 4]) await bus.publish("work", payload("x", n));
    await bus.close();
    this.#expected = [0, 1, 2, 3, 4];
    if (this.#deed.isAfterCrash !== true) return;
    const dir = this.#subscriptionDir;
    const files = fs.readdirSync(join(dir, "new")).sort();
    for (const file of files.slice(0, 2)) {
      fs.renameSync(join(dir, "new", file), join(dir, "cur", `1~${bus.user}~aaaaaaaaaaaaaaaa-1~${file}`));
    }
    fs.writeFileSync(join(dir, "cur", `${files[0]}.progress`), "s0\nd0\ns1\n");
    this.#expected.shift();
  }

  get #subscriptionDir(): string {
    const parent = this.#deed.options?.queue === undefined ? "subscriptions" : "queues";
    const [name = ""] = fs.readdirSync(join(this.#spoolPath, parent)).filter((each) => /(^|~)a$/.test(each));
    return join(this.#spoolPath, parent, name);
  }

  /** A failure to subscribe is an error that says what to do, and stands in nobody's way afterwards. */
  async #subscribe(bus: Bus, handler?: (message: Message) => unknown): Promise<Subscription> {
    const open = () =>
      handler === undefined ? bus.subscribe("work", this.#options) : bus.subscribe("work", this.#options, handler);
    try {
      return await open();
    } catch (error) {
      assert.ok(isBusError(error), `not a BusError but ${(error as Error).stack}`);
      assert.ok(error.fix !== undefined, `${error.code} has no remedy: ${error.message}`);
      return open();
    }
  }

  /** Takes two messages, and goes away with them in work. */
  async #openAndClose(bus: Bus): Promise<void> {
    const subscription = await this.#subscribe(bus);
    const messages = subscription[Symbol.asyncIterator]();
    await messages.next();
    await messages.next();
    await subscription.close();
  }

  async #handle(message: Message): Promise<void> {
    assert.ok(isIntact(message.data));
    const { n } = message.data;
    assert.ok(!this.#settled.has(n), `${n} comes again after it was settled`);
    this.#handled.push(n);
    await this.#deed.handle?.(message);
    if (!message.isSettled) await message.ack();
    else if (message.attempt === 1 && this.#deed.name.includes("nack")) return;
    this.#settled.add(n);
  }

  #isDone(): boolean {
    const dir = this.#subscriptionDir;
    // Notes that could not be removed are left to the next consumer.
    // Streams stay for a moment, and their seals for a minute.
    const counts = (name: string) =>
      !/^\..*\.sealed$/.test(name) && !(name.endsWith(".progress") && this.struck === "unlink a progress note");
    return UNSETTLED_PLACES.every((part) => !fs.readdirSync(join(dir, part)).some(counts));
  }

  #check(mishap: Mishap | undefined): void {
    const dead = fs.readdirSync(join(this.#subscriptionDir, "dead")).filter((name) => name.endsWith(".reason.json"));
    const unreadable = dead.filter((name) =>
      fs.readFileSync(join(this.#subscriptionDir, "dead", name), "utf8").includes('"unreadable"'),
    );
    // What its mode keeps a receiver from reading is kept for it in dead/; that is no failure.
    const isShut = mishap?.fault === "EACCES" && unreadable.length > 0;
    if (!isShut)
      assert.deepEqual(
        [...this.#settled].sort((a, b) => a - b),
        this.#expected,
        "not all were handled",
      );
    assert.deepEqual(this.#faulty.watch.open, [], "descriptors stay open");
    const drafts = fs
      .readdirSync(this.#spoolPath, { recursive: true, encoding: "utf8" })
      .filter((path) => /\/\.[^/]+$/.test(path) && !/(^|\/)\.new-|\.sealed$/.test(path));
    if (!/^(unlink|rmdir) /.test(this.struck ?? "")) assert.deepEqual(drafts, [], "hidden files stay");
  }
}
