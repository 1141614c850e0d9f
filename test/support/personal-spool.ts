import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createSpool, openBus, type Bus, type OpenBusOptions } from "@agentbus/core";

/**
 * Where messages of a subscription are that are not settled, in an order in which they can be looked for while a consumer moves them: a
 * place that they come from is read before the one they go to, so that one is not overlooked in both.
 */
export const UNSETTLED_PLACES = ["new", "retry", "cur", "retry"] as const;

/** A personal spool in a directory of its own, removed after the test. */
export class PersonalSpool {
  readonly #buses: Bus[] = [];

  private constructor(
    readonly path: string,
    /** Above the spool; for whatever else the test needs. */
    readonly scratchDir: string,
  ) {}

  /** @param parentDir what it is made in @default the directory for temporary files */
  static async make(context: TestContext, parentDir = tmpdir()): Promise<PersonalSpool> {
    const scratchDir = fs.realpathSync(fs.mkdtempSync(join(parentDir, "agentbus-test-")));
    const spool = new PersonalSpool(join(scratchDir, "spool"), scratchDir);
    context.after(() => spool.remove());
    await createSpool({ spool: spool.path, env: {} });
    return spool;
  }

  async bus(options: OpenBusOptions = {}): Promise<Bus> {
    const bus = await openBus({ spool: this.path, rescanMs: 100, ...options });
    this.#buses.push(bus);
    return bus;
  }

  /** Stores a text as one message file for one subscription, as a program without agentbus does. */
  deliver(user: string, subscription: string, text: string): string {
    // Later than any id, since a name must not come before the id in the file.
    const name = `5-7${randomText(25, "0123456789ABCDEFGHJKMNPQRSTVWXYZ")}-${randomText(26, "abcdefghijklmnopqrstuvwxyz234567")}.json`;
    const draft = join(this.path, "outbox", user, `.${name}.draft`);
    fs.writeFileSync(draft, text, { mode: 0o640, flag: "wx" });
    fs.linkSync(draft, join(this.path, "subscriptions", `${user}~${subscription}`, "new", name));
    fs.unlinkSync(draft);
    return name;
  }

  /** Closes what is still open, so that nothing is written any more. */
  async close(): Promise<void> {
    for (const bus of this.#buses.splice(0)) await bus.close();
  }

  async remove(): Promise<void> {
    await this.close();
    fs.rmSync(this.scratchDir, { recursive: true, force: true });
  }
}

/** Publishes messages that share a file: the first of a tick has one of its own, and goes to nobody here. */
export function publishTogether<Result>(
  bus: Pick<Bus, "publish">,
  count: number,
  publish: (n: number) => Promise<Result>,
): Promise<Result[]> {
  void bus.publish("nobody.listens");
  return Promise.all(Array.from({ length: count }, (_, n) => publish(n)));
}

/** Waits for a condition, looking every few milliseconds. @throws when it does not come true within `withinMs` */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 15_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not true within ${withinMs} ms: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function randomText(length: number, alphabet: string): string {
  return [...randomBytes(length)].map((byte) => alphabet[byte % alphabet.length]).join("");
}
