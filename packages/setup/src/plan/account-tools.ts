import type { Machine } from "../machine.js";
import type { Change } from "./change.js";

/**
 * How a platform makes and removes accounts. Each function returns what is still to be done, in order, and nothing where all
 * is as wanted: so a sequence of many steps goes on where it was stopped.
 */
export interface AccountTools {
  makeGroup(machine: Machine, wanted: WantedGroup): Promise<readonly Change[]>;
  /** Its own group exists by then. Never gives it a password, never more groups than its own. */
  makeAccount(machine: Machine, wanted: WantedAccount): Promise<readonly Change[]>;
  addMember(machine: Machine, membership: Membership): Promise<readonly Change[]>;
  removeMember(machine: Machine, membership: Membership): Promise<readonly Change[]>;
  /** No process of it runs any more, and its home is dealt with apart. */
  removeAccount(machine: Machine, account: { readonly name: string; readonly uid: number }): Promise<readonly Change[]>;
  removeGroup(machine: Machine, group: { readonly name: string; readonly gid: number }): Promise<readonly Change[]>;
}

export interface WantedGroup {
  readonly name: string;
  readonly gid: number;
  /** An agent's own, or one that is a spool's. */
  readonly agent?: string;
}

export interface WantedAccount {
  readonly name: string;
  readonly uid: number;
  /** Of its own group. @default the same number, unless the account was taken over */
  readonly gid?: number;
  readonly home: string;
  readonly homeMode: number;
  readonly shell: string;
}

export interface Membership {
  readonly user: string;
  readonly group: string;
  readonly isHuman: boolean;
}
