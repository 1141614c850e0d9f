import { userInfo } from "node:os";
import { systemAccountDatabase, type AccountDatabase } from "./account-database.js";
import { AccountFile, MAX_UID, parseGroup, parseUser, type GroupEntry, type UserEntry } from "./account-files.js";
import { BusError } from "./errors.js";
import { nodeFileSystem, type FileSystem } from "./file-system.js";
import { NameTable } from "./name-table.js";
import { isUserName } from "./topics.js";

export interface AccountSources {
  /** @default Node's own */
  readonly fileSystem?: FileSystem;
  /** @default "/etc/passwd" */
  readonly passwdPath?: string;
  /** @default "/etc/group" */
  readonly groupPath?: string;
  /** @default the system's: getent(1) on Linux, dscacheutil(1) on macOS */
  readonly database?: AccountDatabase;
}

/**
 * Which account a uid is, and which uid an account has; the same for groups.
 *
 * What the local files know is looked up in a map, and is as fresh as the last `refresh()`. The methods that return a
 * promise ask the system's account database for the rest, and remember what it said for a while, also for the methods
 * that do not. A uid without an account, as containers have them, is called `uid<number>`, in both directions, unless
 * some account really has that name.
 */
export class Accounts {
  readonly #passwd: AccountFile<UserEntry>;
  readonly #group: AccountFile<GroupEntry>;
  readonly #database: AccountDatabase;
  readonly #users: NameTable;
  readonly #groups: NameTable;

  /** @throws the system's error when `/etc/passwd` cannot be read */
  constructor(sources: AccountSources = {}) {
    const fileSystem = sources.fileSystem ?? nodeFileSystem;
    this.#passwd = new AccountFile(fileSystem, sources.passwdPath ?? "/etc/passwd", parseUser);
    this.#group = new AccountFile(fileSystem, sources.groupPath ?? "/etc/group", parseGroup);
    const database = sources.database ?? systemAccountDatabase();
    this.#database = database;
    this.#users = new NameTable((key) => database.findUser(key));
    this.#groups = new NameTable((key) => database.findGroup(key));
    this.refresh();
  }

  /**
   * Reads `/etc/passwd` and `/etc/group` again if they have changed. Uids are recycled: whoever judges the owner of a
   * file calls this after the file was there and before the lookup.
   */
  refresh(): void {
    if (this.#passwd.refresh()) this.#users.replaceFile(this.#passwd.entries);
    if (this.#group.refresh()) this.#groups.replaceFile(this.#group.entries);
  }

  /** The account of a uid, the first one listed where several share it; undefined when only `findUser` can tell. */
  userOf(uid: number): string | undefined {
    const user = this.#users.nameOf(uid);
    if (user !== null) return user;
    return this.#users.idOf(numberedName(uid)) === null ? numberedName(uid) : undefined;
  }

  /** The uid of an account; undefined when there is none, or when only `findUid` can tell. */
  uidOf(user: string): number | undefined {
    const uid = this.#users.idOf(user);
    if (uid !== null) return uid;
    const numbered = numberIn(user);
    return numbered !== undefined && this.#users.nameOf(numbered) === null ? numbered : undefined;
  }

  groupOf(gid: number): string | undefined {
    return this.#groups.nameOf(gid) ?? undefined;
  }

  groupIdOf(group: string): number | undefined {
    return this.#groups.idOf(group) ?? undefined;
  }

  /** As `userOf`, asking where needed; undefined when the account database does not answer, so nobody can tell now. */
  async findUser(uid: number): Promise<string | undefined> {
    this.refresh();
    await this.#users.learn(uid);
    if (this.#users.nameOf(uid) === null) await this.#users.learn(numberedName(uid));
    return this.userOf(uid);
  }

  /** As `uidOf`, asking where needed. */
  async findUid(user: string): Promise<number | undefined> {
    this.refresh();
    if (!isUserName(user)) return undefined;
    await this.#users.learn(user);
    const numbered = numberIn(user);
    if (numbered !== undefined && this.#users.idOf(user) === null) await this.#users.learn(numbered);
    return this.uidOf(user);
  }

  async findGroup(gid: number): Promise<string | undefined> {
    this.refresh();
    await this.#groups.learn(gid);
    return this.groupOf(gid);
  }

  async findGroupId(group: string): Promise<number | undefined> {
    this.refresh();
    if (isUserName(group)) await this.#groups.learn(group);
    return this.groupIdOf(group);
  }

  /**
   * The accounts that the group file and the account database list as members, and those of `/etc/passwd` whose main
   * group it is. Accounts of a directory service whose main group it is are members too, but no system lists them.
   */
  async membersOf(group: string): Promise<string[]> {
    const gid = await this.findGroupId(group);
    if (gid === undefined) return [];
    // Also for a group of the file: the database may add members to it (nsswitch.conf(5), "merge").
    const answer = await this.#database.findGroup(group).catch(() => undefined);
    const listed = this.#group.entries.flatMap((entry) => (entry.name === group ? entry.members : []));
    const main = this.#passwd.entries.flatMap((entry) => (entry.gid === gid ? [entry.name] : []));
    return [...new Set([...listed, ...(answer?.members ?? []), ...main])].sort();
  }

  /**
   * The account that this process acts as.
   * @throws BusError ERR_ACCOUNT when it has none and another account bears the name that would stand for it
   */
  currentUser(): { user: string; uid: number } {
    this.refresh();
    const uid = process.geteuid?.() ?? MAX_UID;
    const user = this.#users.nameOf(uid) ?? ownName();
    this.#users.remember(uid, user === undefined ? null : { name: user, id: uid });
    if (user !== undefined) return { user, uid };
    const name = numberedName(uid);
    const bearer = this.#users.idOf(name) ?? uid;
    if (bearer === uid) return { user: name, uid };
    throw new BusError(
      "ERR_ACCOUNT",
      `cannot name uid ${uid}: it has no account, and ${name} is that of uid ${bearer}`,
      {
        fix: `sudo useradd --uid ${uid} NAME`,
      },
    );
  }
}

function numberedName(uid: number): string {
  return `uid${uid}`;
}

function numberIn(user: string): number | undefined {
  const digits = /^uid(0|[1-9][0-9]{0,9})$/.exec(user)?.[1];
  return digits !== undefined && Number(digits) <= MAX_UID ? Number(digits) : undefined;
}

/** getpwuid(3) within this process: it asks every source, but blocks, so it is for one's own entry only. */
function ownName(): string | undefined {
  try {
    const { username } = userInfo();
    return isUserName(username) ? username : undefined;
  } catch {
    return undefined; // there is no such account
  }
}
