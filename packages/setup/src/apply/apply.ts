import { BusError } from "@agentbus/core";
import { Ledger } from "../ledger.js";
import type { Machine } from "../machine.js";
import { asRootCommand, fileArgument } from "../own-command.js";
import { adoptFix } from "../plan/plan-accounts.js";
import type { Conflict } from "../plan/change.js";
import { makePlan, type Plan, type PlanOptions } from "../plan/make-plan.js";
import type { Setup } from "../setup.js";
import { withLock } from "./lock.js";
import { perform, type Workshop } from "./perform.js";

export interface ApplyOptions extends PlanOptions {
  /** What runs our own command. */
  readonly agentbus: readonly string[];
  /** Shown the plan; false stops, with nothing changed. @default always true */
  readonly confirm?: (plan: Plan) => Promise<boolean>;
  /** @see Workshop.onMoment */
  readonly onMoment?: Workshop["onMoment"];
  /** Told of a step that failed and is not needed for the rest. */
  readonly onFailure?: (error: BusError) => void;
}

export interface Applied {
  /** How many steps were taken; 0: all was as it should be. */
  readonly steps: number;
  /** Whether somebody said yes; nothing was changed otherwise. */
  readonly confirmed: boolean;
  readonly plan: Plan;
  readonly failures: readonly BusError[];
}

/**
 * Makes the machine what agentbus.json wants, under a lock: plans, asks, and takes each step. Run again after a failure at any
 * step, or after it was killed, it goes on from there; run again after success, it changes nothing.
 * @throws BusError ERR_ACCESS (needs root), ERR_SETUP_CONFLICT, ERR_SETUP_STEP
 */
export async function applySetup(setup: Setup, machine: Machine, options: ApplyOptions): Promise<Applied> {
  const { agentbus, confirm = () => Promise.resolve(true), onMoment, onFailure = () => undefined } = options;
  const file = fileArgument(setup.path);
  requireRoot(machine, `apply${file}`, `agentbus setup plan${file} shows what apply would do`);
  return withLock(machine, async () => {
    const plan = await makePlan(setup, machine, options);
    if (plan.conflicts.length > 0) throw inTheWay(plan, setup);
    if (plan.changes.length === 0) return { steps: 0, confirmed: true, plan, failures: [] };
    if (!(await confirm(plan))) return { steps: 0, confirmed: false, plan, failures: [] };
    const workshop = {
      machine,
      ledger: Ledger.read(machine),
      agentbus,
      ...(onMoment === undefined ? {} : { onMoment }),
    };
    const failures: BusError[] = [];
    for (const change of plan.changes) {
      try {
        await perform(change, workshop);
      } catch (error) {
        if (change.isOptional !== true || !(error instanceof BusError)) throw error;
        failures.push(error);
        onFailure(error);
      }
    }
    return { steps: plan.changes.length - failures.length, confirmed: true, plan, failures };
  });
}

/**
 * @param command what needs root: the words behind `agentbus setup`
 * @param otherwise what can be done without @default nothing
 * @throws BusError ERR_ACCESS
 */
export function requireRoot({ access }: Machine, command: string, otherwise?: string): void {
  if (access === "root") return;
  const instead = otherwise === undefined ? "" : `; without root, ${otherwise}`;
  throw new BusError("ERR_ACCESS", "cannot change accounts: only root may", {
    fix: `${asRootCommand(`setup ${command}`)}${instead}`,
  });
}

function inTheWay({ conflicts }: Plan, setup: Setup): BusError {
  const problems = conflicts.map(({ problem }) => problem).join("; ");
  const faults = faultsOf(conflicts, setup);
  const several = { about: "cannot apply, and nothing was changed", faults };
  return new BusError("ERR_SETUP_CONFLICT", `cannot apply: ${problems}. Nothing was changed`, {
    fix: faults.map(({ fix }) => fix).join("; "),
    details: { conflicts, ...(conflicts.length === 1 ? {} : { several }) },
  });
}

/** By what mends them: what is there already is taken over by one command. */
function faultsOf(conflicts: readonly Conflict[], setup: Setup): { problems: string[]; fix: string }[] {
  const names = [...new Set(conflicts.flatMap(({ adoptable }) => adoptable ?? []))];
  const faults = new Map<string, string[]>();
  for (const { problem, fix, adoptable } of conflicts) {
    const mending = adoptable === undefined ? fix : adoptFix(names, setup);
    faults.set(mending, [...(faults.get(mending) ?? []), problem]);
  }
  return [...faults].map(([fix, problems]) => ({ problems, fix }));
}
