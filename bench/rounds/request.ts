import type { Assignment } from "../ends/assignment.js";
import { EndProcess } from "../ends/end-process.js";
import type { Losses } from "../ends/serials.js";
import type { Leftovers } from "../leftovers.js";

/** How long an end may take to start, and to ask all it has to, in milliseconds. */
const PATIENCE_MS = 60_000;
const ASKING_MS = 180_000;

/** One process asks and one answers, both started for this round. */
export async function runRequests(
  assignment: Assignment,
  leftovers: Leftovers,
): Promise<{ readonly latenciesNs: Float64Array; readonly losses: Losses }> {
  const responder = new EndProcess("responder", leftovers);
  const requester = new EndProcess("requester", leftovers);
  try {
    responder.assign(assignment);
    await responder.expect("ready", PATIENCE_MS);
    requester.assign(assignment);
    return await requester.expect("answered", ASKING_MS);
  } finally {
    await Promise.all([requester.kill(), responder.kill()]);
  }
}
