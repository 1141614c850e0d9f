import type { Ledger } from "../ledger.js";
import type { Account, Machine } from "../machine.js";
import type { AgentSetup, Setup } from "../setup.js";
import type { AccountTools } from "./account-tools.js";
import type { Change, Conflict } from "./change.js";
import type { Numbers } from "./numbers.js";
import type { TakenOver } from "./old-values.js";

/** What the parts of a plan share while it is made. */
export interface Planning {
  readonly setup: Setup;
  readonly machine: Machine;
  readonly ledger: Ledger;
  readonly numbers: Numbers;
  readonly tools: AccountTools;
  /** Names of accounts and groups that are taken over if they are there already. */
  readonly adopt: ReadonlySet<string>;
  readonly changes: Change[];
  /** Keys of the ledger that the file still asks for, so that what it no longer asks for can be told. */
  readonly wantedKeys: Set<string>;
  readonly conflicts: Conflict[];
  /** What a person should know, and nothing has to be done about by setup. */
  readonly notes: string[];
}

/** An agent, and the account that it has or will have. */
export interface PlannedAgent {
  readonly agent: AgentSetup;
  readonly account: Account;
  /** Whether the account is there already. */
  readonly exists: boolean;
  /** It was there before setup, and removal gives back what is changed of it. */
  readonly takenOver?: TakenOver | undefined;
}

export function defaultShell({ flavour }: Machine): string {
  if (flavour.platform === "darwin") return "/bin/zsh";
  return flavour.accountTools === "busybox" ? "/bin/sh" : "/bin/bash";
}
