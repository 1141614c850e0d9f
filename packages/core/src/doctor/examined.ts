import type { Stats } from "node:fs";
import type { Accounts } from "../accounts.js";
import { BarredAccounts } from "../barred-accounts.js";
import { joinName, type FileSystem, type Path } from "../file-system.js";
import type { SpoolKind } from "../permissions.js";
import { agentbusAsRoot, asRoot, asUser, shellQuote } from "../shell-command.js";
import type { SpoolFacts } from "../spool.js";

/** The machine and this process, as the checks see them; a test may pretend others. */
export interface Machine {
  readonly fileSystem: FileSystem;
  readonly accounts: Accounts;
  readonly platform: NodeJS.Platform;
  /** "20.19.0" */
  readonly nodeVersion: string;
  /** Where proc(5) is. */
  readonly procDir: string;
}

/**
 * A spool under examination. Looks, never follows a symbolic link in a last component, never throws for what is there: what
 * cannot be seen is undefined.
 */
export class ExaminedSpool {
  readonly kind: SpoolKind;
  readonly group: string | undefined;
  readonly gid: number;
  /** Whose its own directories should be. */
  readonly uid: number;
  /** What makes it anew, and mends its own directories. */
  readonly initCommand: string;
  readonly #barred: BarredAccounts;

  constructor(
    readonly path: string,
    { kind, group, gid }: Pick<SpoolFacts, "kind" | "group" | "gid">,
    readonly machine: Machine,
  ) {
    this.kind = kind;
    this.group = group;
    this.gid = gid;
    this.uid = kind === "group" ? 0 : (process.geteuid?.() ?? 0);
    const place = `--spool ${shellQuote(path)}`;
    this.#barred = new BarredAccounts({ path, kind, group, fileSystem: machine.fileSystem });
    this.initCommand =
      kind === "group" ? agentbusAsRoot(`init --group ${group ?? "GROUP"} ${place}`) : `agentbus init ${place}`;
  }

  /** @param name relative to the spool, latin1, "" for the spool itself, with or without "/" at its end */
  pathOf(name: string): Path {
    const bare = name.replace(/\/$/, "");
    return bare === "" ? this.path : joinName(this.path, bare);
  }

  statOf(name: string): Stats | undefined {
    try {
      return this.machine.fileSystem.lstat(this.pathOf(name));
    } catch {
      return undefined;
    }
  }

  /** What is in a directory; undefined when it is none, or this account may not list it. */
  namesIn(dir: string): string[] | undefined {
    try {
      return this.machine.fileSystem.readdir(this.pathOf(dir));
    } catch {
      return undefined;
    }
  }

  /** By its `spool.json`, if that can be read. */
  isBarredFromPipes(user: string): boolean {
    try {
      return this.#barred.isBarred("pipes", user);
    } catch {
      return false;
    }
  }

  userName(uid: number): string {
    return this.machine.accounts.userOf(uid) ?? `uid${uid}`;
  }

  groupName(gid: number): string {
    return this.machine.accounts.groupOf(gid) ?? `gid${gid}`;
  }

  /**
   * A command about something in one of the spool's own directories, where nobody can put a link on the way: root may give it,
   * and in a personal spool its user.
   */
  asKeeper(command: string): string {
    return this.kind === "personal" ? command : asRoot(command);
  }

  /**
   * A command about something in a directory that an account owns: given by root, a link that the account puts on the way would
   * lead it elsewhere, so that account gives it. A uid without one acts with the spool's group, which alone lets it get there.
   */
  asOwner(uid: number, command: string): string {
    if (uid === process.geteuid?.()) return command;
    if (uid === 0) return asRoot(command);
    const user = this.userName(uid);
    if (user !== `uid${uid}`) return asUser(user, command);
    return this.machine.platform === "linux"
      ? asRoot(`setpriv --reuid=${uid} --regid=${this.gid} --clear-groups ${command}`)
      : asUser(`#${uid}`, command);
  }
}
