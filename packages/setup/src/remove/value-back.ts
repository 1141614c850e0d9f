import type { Origin } from "../ledger.js";
import type { Machine } from "../machine.js";
import type { Change } from "../plan/change.js";
import type { Removing } from "./plan-removal.js";

/** A value that setup has changed, and how to see what it is now. */
export interface ChangedValue {
  /** "the shell of codebot": for people. */
  readonly what: string;
  readonly entry: Origin;
  /** undefined: there is nothing that could have it any more. */
  readonly now: (machine: Machine) => Promise<string | undefined>;
  /** Other values than those of the ledger that come from setup. @default none */
  readonly alsoSetups?: readonly string[];
  /** Why it cannot have its old value any more, and what to do. */
  readonly obstacle?: (machine: Machine) => Promise<string | undefined>;
}

/**
 * Gives a value back if it is still as setup has made it: what somebody has changed later stays, and is named. That is looked at when the
 * removal is planned, and once more right before the step.
 * @param steps what makes it the old value
 */
export async function valueBack(
  { machine, notes }: Pick<Removing, "machine" | "notes">,
  value: ChangedValue,
  steps: readonly Change[],
): Promise<Change[]> {
  const { before } = value.entry;
  if (before === undefined || (await value.now(machine)) === before) return [];
  const objection = (on: Machine) => objectionTo(value, before, on);
  const already = await objection(machine);
  if (already === undefined) return steps.map((step) => ({ ...step, ifStill: true, objection }));
  notes.push(already);
  return [];
}

async function objectionTo(value: ChangedValue, before: string, machine: Machine): Promise<string | undefined> {
  const { what, entry, now, alsoSetups = [], obstacle } = value;
  const present = await now(machine);
  if (present === before) return undefined;
  if (present === undefined) return `${what} was ${before}, and there is nothing left to give it back to`;
  if (entry.set === undefined)
    return `${what} was ${before} before setup, and is ${present}: an earlier version has not noted whether that is its own doing, so it stays`;
  if (![...entry.set, ...alsoSetups].includes(present))
    return `${what} is ${present}, which is not setup's doing: it stays, and was ${before} before setup`;
  return obstacle?.(machine);
}
