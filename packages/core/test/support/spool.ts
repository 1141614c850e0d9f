import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Bus, OpenBusOptions } from "#core/bus.js";
import { createBus, type BusSeams } from "#core/open-bus.js";
import { createSpool } from "#core/create-spool.js";

/** A personal spool in a directory of its own, removed after the test. */
export class TestSpool {
  readonly #buses: Bus[] = [];

  private constructor(
    readonly path: string,
    private readonly base: string,
  ) {}

  static async make(context: TestContext, under = tmpdir()): Promise<TestSpool> {
    const base = fs.realpathSync(fs.mkdtempSync(join(under, "agentbus-test-")));
    const spool = new TestSpool(join(base, "spool"), base);
    context.after(() => spool.remove());
    await createSpool({ spool: spool.path, env: {} });
    return spool;
  }

  async bus(options: OpenBusOptions = {}, seams: BusSeams = {}): Promise<Bus> {
    const bus = await createBus({ spool: this.path, rescanMs: 100, ...options }, seams);
    this.#buses.push(bus);
    return bus;
  }

  /** Names in a directory of the spool, hidden ones left out. */
  names(...parts: string[]): string[] {
    return fs.readdirSync(join(this.path, ...parts)).filter((name) => !name.startsWith("."));
  }

  async remove(): Promise<void> {
    for (const bus of this.#buses) await bus.close();
    fs.rmSync(this.base, { recursive: true, force: true });
  }
}

/** Waits for a condition, looking every few milliseconds. @throws when it does not come true within `withinMs` */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not true within ${withinMs} ms: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
