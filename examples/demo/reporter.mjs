// @ts-check
// Asks the reviewer what has become of it all.
import { openBus } from "@agentbus/core";

process.on("disconnect", () => process.exit());
const bus = await openBus();
console.log("asks for review.summary");
const asked = performance.now();
const { data, sender } = await bus.request("review.summary", null, { timeoutMs: 10_000 });
const { reviewed, withoutRemark } = /** @type {{ reviewed: number, withoutRemark: number }} */ (data);
console.log(`${sender.user} answers after ${(performance.now() - asked).toFixed(1)} ms:`);
console.log(`${withoutRemark} of ${reviewed} commits without a remark`);
await bus.drain();
process.disconnect?.();
