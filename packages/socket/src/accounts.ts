import { Budget } from "./budget.js";
import { Line } from "./turns.js";

/** What the connections of one account may hold of a server's memory, in bytes. */
const BUDGET_BYTES = 64 * 1024 * 1024;

/** What one account uses of a server. */
export interface Account {
  readonly uid: number;
  readonly budget: Budget;
  readonly line: Line;
  connections: number;
}

/** The accounts that have been connected: as many as the group has members. */
export class Accounts {
  readonly #maxConnections: number;
  readonly #accounts = new Map<number, Account>();

  constructor(maxConnections: number) {
    this.#maxConnections = maxConnections;
  }

  /** @returns undefined when it has as many connections as one account may; otherwise to be given back with `leave()` */
  enter(uid: number): Account | undefined {
    let account = this.#accounts.get(uid);
    if (account === undefined) {
      account = { uid, budget: new Budget(BUDGET_BYTES), line: new Line(), connections: 0 };
      this.#accounts.set(uid, account);
    }
    if (account.connections >= this.#maxConnections) return undefined;
    account.connections++;
    return account;
  }

  leave(account: Account): void {
    account.connections--;
  }
}
