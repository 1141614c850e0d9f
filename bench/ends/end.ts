import { once } from "node:events";
import type { Order, Word } from "./assignment.js";

/**
 * Runs one end of a round in this process: waits for its assignment, does it, and tells how it went. An end never outlives
 * the bench, however that ended; Ctrl-C reaches both, and the bench decides.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- each role is forked with an assignment of its own kind
export async function runEnd<Assigned>(work: (assignment: Assigned, bench: Bench) => Promise<void>): Promise<void> {
  process.on("SIGINT", () => undefined);
  process.on("disconnect", () => process.exit(1));
  const assignment = (await heard()) as Assigned;
  try {
    await work(assignment, { tell, hear: async () => (await heard()) as Order });
  } catch (error) {
    tell({ kind: "failed", why: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

/** The bench, as its ends talk to it. */
export interface Bench {
  tell(word: Word): void;
  /** What it says next. */
  hear(): Promise<Order>;
}

function tell(word: Word): void {
  process.send?.(word);
}

async function heard(): Promise<unknown> {
  const [message] = (await once(process, "message")) as [unknown];
  return message;
}
