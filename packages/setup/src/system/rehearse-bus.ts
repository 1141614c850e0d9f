import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSpool, openBus, type Bus } from "@agentbus/core";

/**
 * Uses a bus once, so that all of its code is loaded: parts of it are read from the disk when they are first needed, and the account
 * that this process becomes then may not be able to read them.
 */
export async function rehearseBus(): Promise<void> {
  await rehearse(async (bus) => {
    const kept = await bus.subscribe("rehearsal", { durable: "rehearsal" });
    await kept.close();
    await bus.unsubscribe("rehearsal");
    const subscription = await bus.subscribe("rehearsal");
    await bus.publish("rehearsal");
    for await (const message of subscription) {
      await message.ack();
      break;
    }
  });
}

/** The same for sockets and pipes; a machine where they cannot be used has nothing to be loaded. */
export async function rehearseChannels(): Promise<void> {
  await rehearse(async (bus) => {
    await (await bus.pipes(() => undefined)).close();
    await bus.serve("rehearsal", () => "done");
    await (await bus.connect(`@${bus.user}/rehearsal`)).call();
  }).catch(() => undefined);
}

async function rehearse(use: (bus: Bus) => Promise<void>): Promise<void> {
  const dir = fs.mkdtempSync(join(tmpdir(), "agentbus-verify-"));
  try {
    const spool = join(dir, "spool");
    await createSpool({ spool, env: {} });
    const bus = await openBus({ spool });
    try {
      await use(bus);
    } finally {
      await bus.close();
    }
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
}
