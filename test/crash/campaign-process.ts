/** One publisher or consumer of a campaign: works until it is told to stop, or killed by itself or by its parent. */
import { setTimeout as delay } from "node:timers/promises";
import type { Bus } from "#core/bus.js";
import type { Message } from "#core/subscribe/message.js";
import type { SubscribeOptions } from "#core/subscribe/open-subscription.js";
import { Journal } from "./journal.js";
import { changesTheDisk, SeamWatch } from "./seam-calls.js";
import { Stage } from "./stage.js";

export type Role = "publisher" | "durable" | "shared" | "queue" | "inbox";

export interface CampaignTask {
  readonly role: Role;
  /** Of this process alone: a restarted one has another. */
  readonly name: string;
  readonly spoolPath: string;
  readonly journalPath: string;
  /** It kills itself at so many changes to the disk. @default never */
  readonly killAtChange?: number | undefined;
}

const task = JSON.parse(process.argv[2] ?? "") as CampaignTask;
let changes = 0;
const watch = new SeamWatch(task.spoolPath, (call, proceed) => {
  const isHere = changesTheDisk(call) && ++changes === task.killAtChange;
  if (isHere && Math.random() < 0.5) process.kill(process.pid, "SIGKILL");
  try {
    return proceed();
  } finally {
    // Also where it failed, as the rename that another consumer won does: there may be no such call again.
    if (isHere) process.kill(process.pid, "SIGKILL");
  }
});
const journal = new Journal(task.journalPath);
const stage = new Stage({ spoolPath: task.spoolPath, journal, name: task.name, fileSystem: watch.fileSystem });
const stopping = new AbortController();
process.on("SIGTERM", () => stopping.abort());
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
// Listening to its parent is no reason to live on.
process.channel?.unref();
await play();

async function play(): Promise<void> {
  const bus = await stage.bus();
  if (task.role === "publisher") await publishOnAndOn(bus);
  else await consume(bus, task.role);
  await bus.drain();
}

async function publishOnAndOn(bus: Bus): Promise<void> {
  process.send?.("at work");
  while (!stopping.signal.aborted) {
    const destination = Math.random() < 0.2 ? `@${bus.user}` : "work.one";
    const priority = Math.random() < 0.1 ? 2 : 5;
    const bytes = Math.random() < 0.02 ? 200_000 : 300;
    const together = 1 + Math.floor(Math.random() * 6);
    await Promise.all(Array.from({ length: together }, () => stage.publish(bus, destination, { priority }, bytes)));
    // Not so fast that the consumers, which are killed all the time, never catch up.
    await delay(5);
  }
}

async function consume(bus: Bus, role: Exclude<Role, "publisher">): Promise<void> {
  const [pattern, options] = subscriptionOf(bus, role);
  const shared = { maxAttempts: 1_000, backoff: { minMs: 1, maxMs: 5 }, onError: () => undefined };
  await bus.subscribe(pattern, { ...shared, ...options }, stage.handler(moodily));
  process.send?.("at work");
  await new Promise((resolve) => stopping.signal.addEventListener("abort", resolve));
}

/** Exclusive ones handle one message at a time, so that their order can be checked. */
function subscriptionOf(bus: Bus, role: Exclude<Role, "publisher">): [string, SubscribeOptions] {
  switch (role) {
    case "durable":
      return ["work.*", { durable: "durable" }];
    case "shared":
      return ["work.*", { durable: "shared", shared: true, concurrency: 4 }];
    case "queue":
      return ["work.*", { queue: "queue", concurrency: 4 }];
    case "inbox":
      return [`@${bus.user}`, {}];
  }
}

async function moodily(message: Message): Promise<void> {
  const mood = Math.random();
  if (mood < 0.03) await message.nack({ delayMs: 1 });
  else if (mood < 0.05) throw new Error("not in the mood");
  else if (mood < 0.06) {
    await message.reject("in no mood at all");
    stage.noteSettled(message);
  } else if (mood < 0.3) await delay(1);
}
