import { Ledger, type RetiredUid } from "./ledger.js";
import type { Machine } from "./machine.js";
import { knownAgents } from "./remove/plan-removal.js";
import { supplementaryGroups } from "./system/account-lists.js";
import { processesOf } from "./system/kill-all.js";

/** An agent that setup has made or taken over on this machine. */
export interface ListedAgent {
  readonly name: string;
  /** null: there is no such account (any more). */
  readonly uid: number | null;
  readonly groups: readonly string[];
  readonly home: string | null;
  readonly processes: number;
  readonly adopted: boolean;
}

/** What the ledger knows, compared with what is there. @throws BusError ERR_SETUP_CONFLICT */
export async function listAgents(machine: Machine): Promise<{ agents: ListedAgent[]; retired: readonly RetiredUid[] }> {
  const ledger = Ledger.read(machine);
  const agents = knownAgents(ledger).map(async (name): Promise<ListedAgent> => {
    const account = await machine.user(name);
    return {
      name,
      uid: account?.uid ?? null,
      groups: await supplementaryGroups(machine, name),
      home: account?.home ?? null,
      processes: account === undefined ? 0 : (await processesOf(machine, account.uid)).length,
      adopted: ledger.find(`account:${name}`)?.how === "adopted",
    };
  });
  return { agents: await Promise.all(agents), retired: ledger.retired };
}
