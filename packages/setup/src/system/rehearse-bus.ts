import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSpool, openBus } from "@agentbus/core";

/**
 * Uses a bus once, so that all of its code is loaded: parts of it are read from the disk when they are first needed, and the account
 * that this process becomes then may not be able to read them.
 */
export async function rehearseBus(): Promise<void> {
  const dir = fs.mkdtempSync(join(tmpdir(), "agentbus-verify-"));
  try {
    const spool = join(dir, "spool");
    await createSpool({ spool, env: {} });
    const bus = await openBus({ spool });
    const kept = await bus.subscribe("rehearsal", { durable: "rehearsal" });
    await kept.close();
    await bus.unsubscribe("rehearsal");
    const subscription = await bus.subscribe("rehearsal");
    await bus.publish("rehearsal");
    for await (const message of subscription) {
      await message.ack();
      break;
    }
    await bus.close();
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
}
