import { join } from "node:path";
import type { Accounts } from "./accounts.js";
import { ancestorsOf } from "./ancestors.js";
import { changeBarred } from "./barred.js";
import { bringBarredPipes } from "./barred-pipes.js";
import type { CreatedSpool, CreateSpoolOptions } from "./create-spool.js";
import { BusError, errnoOf, fromErrno } from "./errors.js";
import { validateSpool } from "./generated/validators.js";
import { makeDirectory } from "./make-directory.js";
import { refuseUnknownOptions } from "./options.js";
import { modeIn, octal, PATHS, PRIVATE_MODE, READABLE_FILE_MODE, ROOT_MODE, type SpoolKind } from "./permissions.js";
import { DEFAULT_LIMITS, LAYOUT, SPOOL_FILE, writeSpoolRecord, type SpoolRecord } from "./spool-file.js";
import { requirePlatform } from "./spool-location.js";
import {
  groupNameOf,
  inTheWay,
  ownerNameOf,
  planSpool,
  statOf,
  type SpoolPlan,
  type SpoolServices,
} from "./spool-plan.js";

const OPTIONS = new Set(["group", "spool", "limits", "relays", "relay", "unrelay", "bar", "unbar", "env"]);

/** @see createSpool */
export async function buildSpool(options: CreateSpoolOptions, services: SpoolServices): Promise<CreatedSpool> {
  refuseUnknownOptions("createSpool", options, OPTIONS);
  requirePlatform(process.platform);
  const plan = await planSpool(options, options.env ?? process.env, services);
  const record = composeRecord(plan, options);
  await requireAccounts("bar", options.bar?.map(({ user }) => user) ?? [], services.accounts);
  await requireAccounts("make a relay of", options.relay ?? [], services.accounts);
  try {
    return await carryOut({ ...plan, ...services, changes: [] }, record);
  } catch (error) {
    throw errnoOf(error) === undefined ? error : fromErrno(error, "make the spool", plan.path);
  }
}

async function carryOut(task: Task, record: SpoolRecord): Promise<CreatedSpool> {
  const { path, kind, group, before, changes } = task;
  for (const dir of ancestorsOf(path)) makeAncestor(task, dir);
  for (const rule of PATHS) {
    if (rule.madeBy === "init" && rule.type === "directory") bringDirectory(task, rule.path, modeIn(kind, rule));
  }
  // Before spool.json says that nobody is there: what it takes away, it takes away at once.
  await bringBarredPipes({ ...task, barred: record.barred?.pipes ?? [] });
  if (before !== undefined) {
    await bringSpoolFile(task, before, record);
    return { path, kind, group, created: false, changes };
  }
  const created = await writeSpoolRecord(task.fileSystem, path, record, false);
  return { path, kind, group, created, changes: [] };
}

interface Task extends SpoolPlan, SpoolServices {
  readonly changes: string[];
}

function makeAncestor(task: Task, dir: string): void {
  if (statOf(dir, task.fileSystem) !== undefined) return;
  make(task, dir, task.kind === "group" ? ROOT_MODE : PRIVATE_MODE);
}

/**
 * Makes one of the spool's own directories, or gives it back its owner, group and mode. By path, since it cannot be swapped: what
 * is above it belongs to root (or, in a personal spool, to this account) and nobody else may write there.
 */
function bringDirectory(task: Task, name: string, mode: number): void {
  const { fileSystem, uid, gid, changes } = task;
  const path = join(task.path, name).replace(/\/$/, "");
  const isNew = make(task, path, mode);
  const stat = fileSystem.lstat(path);
  if (!stat.isDirectory()) throw inTheWay(path, "it is not a directory");
  const found: string[] = isNew ? ["was missing"] : [];
  if (stat.uid !== uid || (gid !== undefined && stat.gid !== gid)) {
    if (process.geteuid?.() !== 0) throw inTheWay(path, `it belongs to ${ownerNameOf(stat.uid, task)}`);
    fileSystem.chown(path, uid, gid ?? stat.gid);
    if (stat.uid !== uid) found.push(`belonged to ${ownerNameOf(stat.uid, task)}`);
    if (!isNew && gid !== undefined && stat.gid !== gid) found.push(`belonged to ${groupNameOf(stat.gid, task)}`);
  }
  if ((fileSystem.lstat(path).mode & 0o7777) !== mode) {
    fileSystem.chmod(path, mode);
    if (!isNew) found.push(`had mode ${octal(stat.mode)}, now ${octal(mode)}`);
  }
  if (found.length > 0) changes.push(`${path} ${found.join(", ")}`);
}

/** The same for `spool.json`, whose content is left alone unless the options say otherwise. */
async function bringSpoolFile(task: Task, before: SpoolRecord, record: SpoolRecord): Promise<void> {
  const { fileSystem, changes, uid, gid } = task;
  const path = join(task.path, SPOOL_FILE);
  // Looked at again: until the spool itself was right, somebody could still have put a link in its place.
  const stat = fileSystem.lstat(path);
  if (!stat.isFile() || stat.uid !== uid || stat.nlink !== 1) throw inTheWay(path, "it is not the file that it was");
  if (JSON.stringify(record) !== JSON.stringify(before)) {
    await writeSpoolRecord(fileSystem, task.path, record, true);
    changes.push(`${path} has new limits, relays or barred accounts`);
    return;
  }
  if (gid !== undefined && stat.gid !== gid) {
    fileSystem.chown(path, uid, gid);
    changes.push(`${path} belonged to ${groupNameOf(stat.gid, task)}`);
  }
  if ((stat.mode & 0o7777) !== READABLE_FILE_MODE) {
    fileSystem.chmod(path, READABLE_FILE_MODE);
    changes.push(`${path} had mode ${octal(stat.mode)}, now ${octal(READABLE_FILE_MODE)}`);
  }
}

/** @throws TypeError for limits or relays that the schema refuses */
function composeRecord({ kind, group, before }: SpoolPlan, options: CreateSpoolOptions): SpoolRecord {
  const { barred: barredBefore, ...known } = before ?? newRecord(kind, group);
  const { bar = [], unbar = [] } = options;
  if (kind === "personal" && bar.length > 0) throw new TypeError("a personal spool has nobody to bar from anything");
  const barred = changeBarred(barredBefore, bar, unbar);
  const record: SpoolRecord = {
    ...known,
    ...(options.limits === undefined ? {} : { limits: { ...(before?.limits ?? DEFAULT_LIMITS), ...options.limits } }),
    ...(isAboutRelays(options) ? { relays: changeRelays(options.relays ?? known.relays, options) } : {}),
    ...(barred === undefined ? {} : { barred }),
  };
  if (validateSpool(record)) return record;
  const [error] = validateSpool.errors ?? [];
  throw new TypeError(`${error?.instancePath.slice(1).replaceAll("/", ".") ?? ""} ${error?.message ?? "is wrong"}`);
}

function isAboutRelays({ relays, relay = [], unrelay = [] }: CreateSpoolOptions): boolean {
  return relays !== undefined || relay.length + unrelay.length > 0;
}

function changeRelays(before: readonly string[] = [], { relay = [], unrelay = [] }: CreateSpoolOptions): string[] {
  return [...new Set([...before, ...relay])].filter((user) => !unrelay.includes(user));
}

/** Whoever is misspelt would not be barred. @throws BusError ERR_ACCOUNT */
async function requireAccounts(what: string, users: readonly string[], accounts: Accounts): Promise<void> {
  for (const user of users) {
    if ((await accounts.findUid(user)) !== undefined) continue;
    throw new BusError("ERR_ACCOUNT", `cannot ${what} ${user}: there is no such account`, {
      fix: "getent passwd shows those that there are",
    });
  }
}

function newRecord(kind: SpoolKind, group: string | undefined): SpoolRecord {
  const createdAt = new Date().toISOString();
  const record = { layout: LAYOUT, kind, createdAt, limits: DEFAULT_LIMITS, relays: [] } as const;
  return group === undefined ? record : { ...record, group };
}

/** @returns whether it was made; false when it was there */
function make({ fileSystem }: Task, dir: string, mode: number): boolean {
  try {
    makeDirectory(fileSystem, dir, mode);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}
