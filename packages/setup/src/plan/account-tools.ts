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
  /** Of an account that is there. Nothing on Alpine, where busybox knows no way to. */
  setShell(machine: Machine, wanted: { readonly name: string; readonly shell: string }): Promise<readonly Change[]>;
  setPrimaryGroup(machine: Machine, wanted: WantedPrimaryGroup): Promise<readonly Change[]>;
  addMember(machine: Machine, membership: Membership): Promise<readonly Change[]>;
  removeMember(machine: Machine, membership: Membership): Promise<readonly Change[]>;
  /** No process of it runs any more, and its home is dealt with apart. */
  removeAccount(machine: Machine, account: { readonly name: string; readonly uid: number }): Promise<readonly Change[]>;
  /** After that of an account: makes the group of its name again, if its tools have taken that along. */
  bringGroupBack(machine: Machine, group: { readonly name: string; readonly gid: number }): readonly Change[];
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

export interface WantedPrimaryGroup {
  readonly name: string;
  /** A name, or its number where nobody knows a name. */
  readonly group: string;
  readonly gid: number;
}

export interface Membership {
  readonly user: string;
  readonly group: string;
  readonly isHuman: boolean;
  /** It was in it before setup took it out: that is put back, and nothing to be removed again. @default false */
  readonly wasMember?: boolean;
}
