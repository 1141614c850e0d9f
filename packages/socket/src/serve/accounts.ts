import { Budget } from "../wire/budget.js";
import { Patience } from "./patience.js";
import { Line } from "./turns.js";

/** What the connections of one account may hold of a server's memory, in bytes. */
const BUDGET_BYTES = 64 * 1024 * 1024;
/** Connections beside those that an account may have, that are kept until they have been told so; further ones are told and closed at once, or they would take all descriptors. */
const MAX_TURNED_AWAY = 64;

/** What one account uses of a server. */
export interface Account {
  readonly uid: number;
  readonly budget: Budget;
  readonly line: Line;
  readonly patience: Patience;
  /** Those that are being turned away among them. */
  connections: number;
}

/** The accounts that have been connected: as many as the group has members. */
export class Accounts {
  readonly #maxConnections: number;
  readonly #accounts = new Map<number, Account>();

  constructor(maxConnections: number) {
    this.#maxConnections = maxConnections;
  }

  /** @returns what is to be given back with `leave()` */
  enter(uid: number): Account {
    let account = this.#accounts.get(uid);
    if (account === undefined) {
      account = { uid, budget: new Budget(BUDGET_BYTES), line: new Line(), patience: new Patience(), connections: 0 };
      this.#accounts.set(uid, account);
    }
    account.connections++;
    return account;
  }

  /** Whether it has no more connections than one account may. */
  hasRoom({ connections }: Account): boolean {
    return connections <= this.#maxConnections;
  }

  /** For people: why an account that has no room is turned away. */
  get fullness(): string {
    return `this account has ${this.#maxConnections} connections to it already, and one may have no more`;
  }

  /** Whether it has so many that another one is not kept for a moment. */
  isFlooding({ connections }: Account): boolean {
    return connections > this.#maxConnections + MAX_TURNED_AWAY;
  }

  leave(account: Account): void {
    account.connections--;
  }
}
