import type { Stats } from "node:fs";
import type { Accounts } from "./accounts.js";
import { weakAncestors, type WeakAncestor } from "./ancestors.js";
import { BusError, errnoOf, fromErrno } from "./errors.js";
import type { FileSystem } from "./file-system.js";
import { addMemberCommand } from "./membership.js";
import { octal, type SpoolKind } from "./permissions.js";
import { agentbusAsRoot, asRoot, shellQuote } from "./shell-command.js";
import { readSpoolRecord, SPOOL_FILE, type SpoolRecord } from "./spool-file.js";
import {
  absolutePath,
  groupInEnvironment,
  groupSpoolDir,
  pathOf,
  personalSpoolDir,
  spoolRoot,
  type SpoolChoice,
} from "./spool-location.js";

export interface SpoolServices {
  readonly fileSystem: FileSystem;
  readonly accounts: Accounts;
}

/** Which spool shall be made, and what is there already. */
export interface SpoolPlan {
  readonly path: string;
  readonly kind: SpoolKind;
  readonly group: string | undefined;
  /** The owner and the group of the spool's own directories; a personal one takes whatever group it gets. */
  readonly uid: number;
  readonly gid: number | undefined;
  /** What `spool.json` says by now. */
  readonly before: SpoolRecord | undefined;
}

/**
 * Decides which spool to make, and refuses what must not be touched, before anything is.
 * @throws BusError ERR_ACCESS, ERR_ACCOUNT, ERR_SPOOL_UNTRUSTED, ERR_SPOOL_LAYOUT
 */
export async function planSpool(
  choice: SpoolChoice,
  env: NodeJS.ProcessEnv,
  services: SpoolServices,
): Promise<SpoolPlan> {
  const { path, group: named } = choose(choice, env);
  const uid = process.geteuid?.() ?? 0;
  if (named !== undefined && uid !== 0) throw needsRoot(path, named, env);
  if (uid === 0) await requireSafeAncestors(path, services);
  const before = await recordAt(path, uid, services);
  const group = named ?? before?.group;
  const kind: SpoolKind = group === undefined ? "personal" : "group";
  if (before !== undefined && (before.kind !== kind || before.group !== group)) throw isAnother(path, group, before);
  if (group === undefined) return { path, kind, group, uid, gid: undefined, before };
  if (uid !== 0) throw needsRoot(path, group, env);
  const gid = await services.accounts.findGroupId(group);
  if (gid === undefined) throw noSuchGroup(group);
  return { path, kind, group, uid, gid, before };
}

/** The spool that `openBus` would choose, except that a group's spool is made only when somebody names it. */
function choose({ spool, group }: SpoolChoice, env: NodeJS.ProcessEnv): { path: string; group?: string | undefined } {
  if (group !== undefined) return { path: spool === undefined ? groupSpoolDir(group, env) : pathOf(spool), group };
  const path = spool === undefined ? absolutePath("AGENTBUS_SPOOL", env) : pathOf(spool);
  if (path !== undefined) return { path };
  const named = groupInEnvironment(env);
  return named === undefined ? { path: personalSpoolDir(env) } : { path: groupSpoolDir(named, env), group: named };
}

/** Root must not work where somebody else could turn a name elsewhere under its hands. */
async function requireSafeAncestors(path: string, services: SpoolServices): Promise<void> {
  const weak = await firstUnsafe(path, services);
  if (weak === undefined) return;
  const quoted = shellQuote(weak.path);
  const owner = ownerNameOf(weak.uid, services);
  const [why, fix] =
    weak.who === "owner"
      ? [
          `belongs to ${owner}`,
          `choose a path that only root can change (--spool), or run this as ${owner} instead of root`,
        ]
      : [`has mode ${octal(weak.mode)}`, `chmod ${weak.who === "anybody" ? "o-w" : "g-w"} ${quoted}`];
  throw new BusError(
    "ERR_SPOOL_UNTRUSTED",
    `cannot make the spool ${path} as root: ${weak.path} ${why}, so others could replace what is in it`,
    {
      path: weak.path,
      fix,
    },
  );
}

/** A group that nobody but root is in does no harm, such as staff on Debian, which may write to all of /usr/local. */
async function firstUnsafe(path: string, { fileSystem, accounts }: SpoolServices): Promise<WeakAncestor | undefined> {
  for (const weak of weakAncestors(fileSystem, path)) {
    if (weak.who !== "group") return weak;
    const group = await accounts.findGroup(weak.gid);
    const members = group === undefined ? [] : await accounts.membersOf(group);
    if (members.some((member) => accounts.uidOf(member) !== 0)) return weak;
  }
  return undefined;
}

/** What `spool.json` says; undefined when nothing is there, or nothing but what a crash may have left. */
async function recordAt(path: string, uid: number, services: SpoolServices): Promise<SpoolRecord | undefined> {
  const stat = statOf(path, services.fileSystem);
  if (stat === undefined) return undefined;
  if (!stat.isDirectory()) throw inTheWay(path, "it is not a directory");
  const record = await readSpoolRecord(path, stat.gid, services);
  if (record !== undefined) return record;
  if (stat.uid !== uid) throw inTheWay(path, `it belongs to ${ownerNameOf(stat.uid, services)}`);
  const names = namesIn(path, services);
  // Another process has finished it since.
  if (names.includes(SPOOL_FILE)) return recordAt(path, uid, services);
  const foreign = names.find((name) => !EXPECTED_NAME.test(name));
  if (foreign === undefined) return undefined;
  throw inTheWay(path, `it is no spool, and holds something else: ${shellQuote(Buffer.from(foreign, "latin1"))}`);
}

function namesIn(path: string, { fileSystem }: SpoolServices): string[] {
  try {
    return fileSystem.readdir(path);
  } catch (error) {
    throw fromErrno(error, "look into", path);
  }
}

/** "lost+found" is in the root of every ext4: a spool may well have a filesystem of its own. */
const EXPECTED_NAME = /^(?:schemas|subscriptions|queues|outbox|run|pipes|lost\+found|\.spool\.json\.[0-9a-f]+)$/;

function isAnother(path: string, group: string | undefined, before: SpoolRecord): BusError {
  const [wanted, found] = [describe(group), describe(before.group)];
  return new BusError("ERR_SPOOL_LAYOUT", `cannot make ${path} ${wanted}: it is ${found}`, {
    path,
    fix: "choose another path (--spool), or remove that spool first",
  });
}

function describe(group: string | undefined): string {
  return group === undefined ? "a personal spool" : `the spool of group ${group}`;
}

function needsRoot(path: string, group: string, env: NodeJS.ProcessEnv): BusError {
  const place = path === groupSpoolDir(group, env) ? "" : ` --spool ${shellQuote(path)}`;
  const settings = env["AGENTBUS_ROOT"] ? [`AGENTBUS_ROOT=${shellQuote(spoolRoot(env))}`] : [];
  return new BusError(
    "ERR_ACCESS",
    `cannot make the spool ${path} of group ${group}: it has to be root's, so that no member can change the rules`,
    {
      path,
      fix: agentbusAsRoot(`init --group ${group}${place}`, settings),
    },
  );
}

function noSuchGroup(group: string): BusError {
  const command = process.platform === "darwin" ? `dseditgroup -o create ${group}` : `groupadd ${group}`;
  return new BusError("ERR_ACCOUNT", `cannot make a spool for group ${group}: there is no such group`, {
    fix: `${asRoot(command)}, then for each member: ${addMemberCommand("NAME", group)}`,
    details: { group },
  });
}

export function inTheWay(path: string, why: string): BusError {
  const quoted = shellQuote(path);
  return new BusError("ERR_SPOOL_UNTRUSTED", `cannot make a spool of ${path}: ${why}`, {
    path,
    fix: `look at it (ls -ld ${quoted}), and move it away (mv ${quoted} ${shellQuote(`${path}.old`)}) or choose another path`,
  });
}

export function statOf(path: string, fileSystem: FileSystem): Stats | undefined {
  try {
    return fileSystem.lstat(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw fromErrno(error, "look at", path);
  }
}

export function ownerNameOf(uid: number, { accounts }: SpoolServices): string {
  return accounts.userOf(uid) ?? `uid${uid}`;
}

export function groupNameOf(gid: number, { accounts }: SpoolServices): string {
  return `group ${accounts.groupOf(gid) ?? gid}`;
}
