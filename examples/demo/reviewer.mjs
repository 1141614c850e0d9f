// @ts-check
// Looks at each commit's message, publishes what it thinks of it, and tells whoever asks for a summary.
import { openBus } from "@agentbus/core";

/** @typedef {{ commit: string, subject: string, body: string }} Commit */
/** @typedef {{ commit: string, remarks: string[] }} Review */
/** @typedef {{ "repo.commit": Commit, "review.done": Review, "review.summary": null }} Topics */

/** @type {import("@agentbus/core").Bus<Topics>} */
const bus = await openBus();
/** @type {Review[]} */
const reviews = [];

await bus.subscribe("repo.commit", { durable: "reviewer" }, async ({ data: { commit, subject, body } }) => {
  const remarks = [
    ...(subject.length > 100 ? ["long subject"] : []),
    ...(subject.endsWith(".") ? ["full stop"] : []),
    ...(body === "" ? ["no body"] : []),
  ];
  reviews.push({ commit, remarks });
  await bus.publish("review.done", { commit, remarks });
  const lines = body.split("\n").length;
  console.log(`${commit} ${remarks.join(", ") || `fine, ${lines} line${lines === 1 ? "" : "s"} why`}`);
});
await bus.respond("review.summary", () => ({
  reviewed: reviews.length,
  withoutRemark: reviews.filter(({ remarks }) => remarks.length === 0).length,
}));
console.log("waits for commits");

process.on("SIGTERM", () => void stop());
process.on("disconnect", () => void stop());

async function stop() {
  await bus.drain();
  process.exit();
}
