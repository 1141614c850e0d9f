// @ts-check
// A durable subscription keeps its messages while nobody consumes it, tries again what failed, and puts aside what keeps failing.
import { openBus } from "@agentbus/core";

const bus = await openBus();
// Made once, by whoever comes first. From here on it stores what is published, whether its worker runs or not.
await (await bus.subscribe("image.resize", { durable: "resizer" })).close();

const jobs = ["cat.png", "dog.png", "slow.png", "broken.png"];
const receipts = [];
for (const file of jobs) {
  const { receipt } = await bus.publish("image.resize", { file }, { receipt: true });
  if (receipt !== undefined) receipts.push({ file, receipt });
}

const worker = await bus.subscribe(
  "image.resize",
  {
    durable: "resizer",
    concurrency: 2,
    maxAttempts: 3,
    backoff: { minMs: 20 },
    onError: (error, { attempt }) => console.log(`attempt ${attempt} failed: ${/** @type {Error} */ (error).message}`),
  },
  async (message) => {
    const { file } = /** @type {{ file: string }} */ (message.data);
    // No use to try again.
    if (file === "broken.png") return message.reject("not an image");
    // Whatever a handler throws puts the message back, for a later attempt.
    if (file === "slow.png" && message.attempt < 2) throw new Error(`${file} is still being uploaded`);
    console.log(`resized ${file}`);
  },
);

// A receipt tells the publisher when every subscription is done with a message. Those that were given up stay pending.
for (const { file, receipt } of receipts) {
  if (file !== "broken.png") await receipt.acked({ timeoutMs: 10_000 });
}
await worker.drain();
for (const { file, receipt } of receipts) {
  if (file === "broken.png") console.log(`${file} is a dead letter: ${receipt.pending()} subscription holds it`);
  receipt.close();
}
await bus.unsubscribe("resizer"); // with everything in it
await bus.close();
