import { BusError, isBusError } from "@agentbus/core";
import { requireRoot } from "../apply/apply.js";
import { withLock } from "../apply/lock.js";
import { perform, type Workshop } from "../apply/perform.js";
import { Ledger } from "../ledger.js";
import type { Machine } from "../machine.js";
import { quoteWord } from "../plan/shell-word.js";
import { filesOf } from "./other-files.js";
import { knownAgents, planRemoval, type Removal, type RemovalOptions } from "./plan-removal.js";

export interface RemoveOptions extends Partial<RemovalOptions> {
  readonly agentbus: readonly string[];
  /** Which agents. @default all, and with them everything that setup has made */
  readonly agents?: readonly string[];
  readonly confirm?: (removal: Removal) => Promise<boolean>;
  readonly onMoment?: Workshop["onMoment"];
  readonly onFailure?: (error: BusError) => void;
  /** Looks through the whole machine for other files of the uids that are retired. @default true */
  readonly looksForFiles?: boolean;
}

export interface Removed {
  readonly confirmed: boolean;
  readonly steps: number;
  /** What could not be done; a second run tries it again. */
  readonly failures: readonly BusError[];
  /** What stays, and why; those of the plan, and what the steps have found. */
  readonly notes: readonly string[];
  /** Other files of retired uids, the first of them. */
  readonly otherFiles: readonly {
    readonly name: string;
    readonly uid: number;
    readonly paths: readonly string[];
    readonly more: boolean;
  }[];
}

/**
 * Takes agents, or everything, away again. What fails is reported, and the rest goes on; only what depends on it waits for a
 * second run, which finishes what this one could not.
 * @throws BusError ERR_ACCESS, ERR_SETUP_CONFLICT, ERR_NOT_FOUND (no such agent)
 */
export async function removeSetup(machine: Machine, options: RemoveOptions): Promise<Removed> {
  const {
    agents,
    agentbus,
    at = new Date(),
    home = "archive",
    confirm = () => Promise.resolve(true),
    onMoment,
    onFailure = () => undefined,
    looksForFiles = true,
  } = options;
  requireRoot(machine, `remove ${agents?.map(quoteWord).join(" ") ?? "--all"}`);
  return withLock(machine, async () => {
    const ledger = Ledger.read(machine);
    const removal = await planRemoval(machine, agents ?? knownAgents(ledger), agents === undefined, { at, home });
    for (const name of agents ?? []) requireKnown(ledger, name);
    const nothing = { steps: 0, failures: [], notes: removal.notes, otherFiles: [] };
    if (removal.changes.length === 0) return { confirmed: true, ...nothing };
    if (!(await confirm(removal))) return { confirmed: false, ...nothing };
    const notes = [...removal.notes];
    const onNote = (note: string) => void notes.push(note);
    const workshop = { machine, ledger, agentbus, onNote, ...(onMoment === undefined ? {} : { onMoment }) };
    const failures: BusError[] = [];
    const undone = new Set<string>();
    let steps = 0;
    for (const change of removal.changes) {
      // What is not done yet must not be forgotten.
      if (change.forgetsAgent !== undefined && failures.length > 0) continue;
      if (change.needs?.some((id) => undone.has(id)) === true) {
        undone.add(change.id);
        continue;
      }
      try {
        await perform(change, workshop);
        steps++;
      } catch (error) {
        if (!isBusError(error)) throw error;
        if (change.isOptional === true) continue;
        undone.add(change.id);
        failures.push(error);
        onFailure(error);
      }
    }
    const otherFiles = [];
    for (const { name, uid } of looksForFiles ? removal.uids : []) {
      const { paths, more } = await filesOf(machine, uid);
      if (paths.length > 0) otherFiles.push({ name, uid, paths, more });
    }
    return { confirmed: true, steps, failures, notes, otherFiles };
  });
}

function requireKnown(ledger: Ledger, name: string): void {
  const known = knownAgents(ledger);
  if (known.includes(name)) return;
  throw new BusError(
    "ERR_NOT_FOUND",
    `cannot remove ${JSON.stringify(name)}: setup has no such agent on this machine`,
    {
      fix:
        known.length === 0
          ? "agentbus setup list shows what it has made"
          : `choose of ${known.join(", ")}: agentbus setup remove ${known[0] ?? ""}`,
    },
  );
}
