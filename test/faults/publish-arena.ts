import assert from "node:assert/strict";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Bus } from "#core/bus.js";
import { createBus } from "#core/open-bus.js";
import { createSpool } from "#core/create-spool.js";
import { isBusError } from "#core/errors.js";
import type { PublishOptions } from "#core/publish/publish-options.js";
import { assertNothingHalfVisible, subscriptionDirs } from "../crash/aftermath.js";
import { payload, isIntact } from "../crash/journal.js";
import { UNSETTLED_PLACES, until } from "../support/personal-spool.js";
import { FaultyCalls, type Mishap } from "./faulty-calls.js";

const HANGS_AFTER_MS = 10_000;
const SUBSCRIPTIONS = ["a", "b", "c"];

/** How something is published. */
export interface Way {
  readonly name: string;
  readonly isGroup?: boolean;
  readonly destination: string;
  /** Publishes made in one tick. @default 1 */
  readonly together?: number;
  readonly options?: PublishOptions;
  readonly bytes?: number;
  /** Whether it has listed the subscriptions before, and has blanks ready. @default "listed" */
  readonly before?: "nothing" | "listed" | "published";
}

/** A spool with subscribers that never fail, and publishers of which one call does. */
export class PublishArena {
  readonly #way: Way;
  readonly #dir = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "agentbus-faults-")));
  readonly #handled = new Map<string, number>();
  #bus: Bus | undefined;
  #round = 0;
  /** Rounds in which the call that was to fail was not made. */
  missed = 0;

  constructor(way: Way) {
    this.#way = way;
  }

  get #spoolPath(): string {
    return join(this.#dir, "spool");
  }

  async open(): Promise<void> {
    await createSpool({ spool: this.#spoolPath, ...(this.#way.isGroup === true ? { group: "root" } : {}), env: {} });
    this.#bus = await createBus({ spool: this.#spoolPath, rescanMs: 10 }, { env: {} });
    const note = ({ id, subscription, data }: { id: string; subscription: string; data: unknown }) => {
      assert.ok(isIntact(data));
      const key = `${subscription} ${id}`;
      this.#handled.set(key, (this.#handled.get(key) ?? 0) + 1);
    };
    for (const durable of SUBSCRIPTIONS) await this.#bus.subscribe("work.*", { durable }, note);
    await this.#bus.subscribe(`@${this.#bus.user}`, note);
  }

  /** What was counted and then not delivered is not counted for ever. */
  async untilNothingIsCounted(): Promise<void> {
    if (this.#way.isGroup !== true) return;
    const tally = join(this.#spoolPath, "subscriptions", `${this.#bus?.user ?? ""}~inbox`, "tally");
    await until(() => fs.readdirSync(tally).length === 0);
  }

  async close(): Promise<void> {
    await this.#bus?.close();
    fs.rmSync(this.#dir, { recursive: true, force: true });
  }

  /** One round: a publish in which a call fails, then the same again without. @returns the names of the calls */
  async publishWith(mishap: Mishap | undefined): Promise<string[]> {
    const faulty = new FaultyCalls(this.#spoolPath);
    const publisher = await createBus({ spool: this.#spoolPath }, { fileSystem: faulty.watch.fileSystem, env: {} });
    // Made with the first publish to an inbox.
    fs.rmSync(join(this.#spoolPath, "outbox", publisher.user, "tally"), { force: true });
    const ids = Array.from({ length: this.#way.together ?? 1 }, (_, n) => `round-${++this.#round}-${n}`);
    try {
      if (this.#way.before !== "nothing") await warmUp(publisher, faulty, this.#way.before ?? "listed");
      // It looks again, at everything.
      await delay(20);
      faulty.arm(mishap);
      await this.#publishAll(publisher, ids, () => isShutOut(mishap, faulty));
      faulty.disarm();
      if (mishap !== undefined && faulty.struck === undefined) this.missed++;
      assertNothingHalfVisible(this.#spoolPath);
      // Whoever was shut out by one subscriber takes that for its last word for a while; another process is not.
      const again = isShutOut(mishap, faulty) ? await createBus({ spool: this.#spoolPath }, { env: {} }) : publisher;
      const refused = (await this.#publishAll(again, ids)).filter((outcome) => outcome !== "done");
      assert.deepEqual(refused, [], "repeated, it fails again");
      await again.close();
    } finally {
      await publisher.close();
    }
    const left = this.#emptyOutbox(publisher.user);
    assert.deepEqual(faulty.watch.open, [], "descriptors stay open");
    const isItsOwn = /^unlink a (draft|receipt)$/.test(faulty.struck?.name ?? "");
    if (!isItsOwn) assert.deepEqual(left, [], "the outbox is not empty");
    await this.#settled(ids);
    return faulty.calls;
  }

  /** @returns what was left in it */
  #emptyOutbox(user: string): string[] {
    const dir = join(this.#spoolPath, "outbox", user);
    const left = fs.readdirSync(dir).filter((name) => name !== "tally");
    for (const name of left) fs.rmSync(join(dir, name));
    return left;
  }

  async #publishAll(publisher: Bus, ids: readonly string[], maySkipOne = () => false): Promise<("done" | "refused")[]> {
    const destination = this.#way.destination === "@" ? `@${publisher.user}` : this.#way.destination;
    return Promise.all(
      ids.map(async (id, n) => {
        try {
          const options = { ...this.#way.options, id };
          const result = await inTime(publisher.publish(destination, payload("faulty", n, this.#way.bytes), options));
          result.receipt?.close();
          const stored = destination.startsWith("@") ? 1 : SUBSCRIPTIONS.length;
          assert.ok(result.subscriptions.length >= stored - (maySkipOne() ? 1 : 0), "not all have it");
          return "done";
        } catch (error) {
          assert.ok(isBusError(error), `not a BusError but ${(error as Error).stack}`);
          assert.ok(error.fix !== undefined, `${error.code} has no remedy: ${error.message}`);
          assert.match(error.message, /cannot|for some only/);
          return "refused";
        }
      }),
    );
  }

  /** Every subscriber has handled each message once. */
  async #settled(ids: readonly string[]): Promise<void> {
    const user = this.#bus?.user ?? "";
    const labels = this.#way.destination === "@" ? [`${user}~inbox`] : SUBSCRIPTIONS.map((name) => `${user}~${name}`);
    const isEmpty = () =>
      subscriptionDirs(this.#spoolPath).every((dir) =>
        UNSETTLED_PLACES.every((part) => fs.readdirSync(join(dir, part)).every((name) => name.endsWith(".sealed"))),
      );
    await until(isEmpty);
    for (const label of labels)
      for (const id of ids) assert.equal(this.#handled.get(`${label} ${id}`), 1, `${label} ${id}`);
  }
}

/** EACCES from another's subscription means that its owner has shut it, which is no failure of the publish. */
function isShutOut(mishap: Mishap | undefined, { struck }: FaultyCalls): boolean {
  return mishap?.fault === "EACCES" && / (a subscription|subscription\.json|new\/(…)?)$/.test(struck?.name ?? "");
}

/** Until the listing of subscriptions need not be read again, and blanks are ready if it has to publish for that. */
async function warmUp(publisher: Bus, faulty: FaultyCalls, before: "listed" | "published"): Promise<void> {
  await until(async () => {
    faulty.arm();
    // Until it looks again.
    await delay(20);
    await publisher.publish(before === "listed" ? "nobody.there" : "work.one", payload("warm", 1));
    return !faulty.calls.some((name) => name === "readdir subscriptions" || name.startsWith("open, to create"));
  });
}

async function inTime<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it hangs")), HANGS_AFTER_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
