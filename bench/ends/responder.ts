import type { Assignment } from "./assignment.js";
import { runEnd } from "./end.js";
import { loadTransport } from "../transports/index.js";

/** The answering end: a process of its own. */
await runEnd<Assignment>(async (assignment, bench) => {
  const responder = await (await loadTransport(assignment.transport)).respond?.(assignment);
  if (responder === undefined) throw new Error(`${assignment.transport} has no requests`);
  bench.tell({ kind: "ready" });
  await bench.hear();
  await responder.close();
});
