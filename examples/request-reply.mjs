// @ts-check
// Ask, and wait for the answer. Whoever answers need not know who asks; the answer goes to a mailbox of the asking process.
import { isBusError, openBus } from "@agentbus/core";

/** @typedef {{ "math.divide": { a: number, b: number } }} Topics */
/** @type {import("@agentbus/core").Bus<Topics>} */
const bus = await openBus();

await bus.respond("math.divide", ({ data: { a, b } }) => {
  if (b === 0) throw new Error("division by zero");
  return { quotient: a / b };
});

const { data, sender } = await bus.request("math.divide", { a: 6, b: 3 }, { timeoutMs: 2_000 });
console.log(`${sender.user} answers`, data);

for (const [topic, question] of /** @type {const} */ ([
  ["math.divide", { a: 1, b: 0 }], // the responder throws
  ["math.root", 2], // nobody is there
])) {
  try {
    await bus.request(topic, question);
  } catch (error) {
    if (!isBusError(error)) throw error;
    console.log(`${error.code}: ${error.message}`);
  }
}
await bus.close();
