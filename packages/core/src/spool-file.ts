import fs, { type Stats } from "node:fs";
import { dirname, join } from "node:path";
import type { Accounts } from "./accounts.js";
import type { Barred } from "./barred.js";
import { readSmallFile, UnfitFile } from "./bounded-read.js";
import { ignoreMissing } from "./directory.js";
import { BusError, errnoOf, fromErrno } from "./errors.js";
import { writeAll, type FileSystem } from "./file-system.js";
import { validateSpool } from "./generated/validators.js";
import { noAccess } from "./membership.js";
import { octal, READABLE_FILE_MODE, type SpoolKind } from "./permissions.js";
import { asRoot, shellQuote } from "./shell-command.js";
import type { SpoolFacts, SpoolLimits } from "./spool.js";

const { O_CREAT, O_EXCL, O_WRONLY } = fs.constants;

/** What `spool.json` says (`schemas/spool.schema.json`). */
export interface SpoolRecord {
  readonly layout: typeof LAYOUT;
  readonly kind: SpoolKind;
  /** Of a group's spool. */
  readonly group?: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly limits?: Partial<SpoolLimits>;
  readonly relays?: readonly string[];
  readonly barred?: Barred;
}

export const SPOOL_FILE = "spool.json";
/** The layout that this version of agentbus reads and writes. */
export const LAYOUT = 1;
export const DEFAULT_LIMITS: SpoolLimits = Object.freeze({
  maxEnvelopeBytes: 4 * 1024 * 1024,
  maxHops: 16,
  maxBacklog: 100_000,
});

export const MAX_RECORD_BYTES = 64 * 1024;
const OTHERS_MAY_WRITE = 0o022;

/** Where a spool is, and the command that would make one there. */
export interface SpoolPlace {
  /** Absolute. */
  readonly path: string;
  readonly initCommand: string;
}

interface Services {
  readonly fileSystem: FileSystem;
  readonly accounts: Accounts;
}

/**
 * Reads what a spool says about itself, if it can be believed: whoever owns a spool decides who may speak for whom in it.
 *
 * @throws BusError ERR_SPOOL_NOT_FOUND, ERR_ACCESS (with the reason why this account is shut out), ERR_SPOOL_UNTRUSTED,
 *   ERR_SPOOL_LAYOUT
 */
export async function readSpool(place: SpoolPlace, services: Services): Promise<SpoolFacts> {
  const stat = statSpool(place, services);
  await requireTrusted(place.path, stat, services.accounts);
  const record = await readSpoolRecord(place.path, stat.gid, services);
  if (record === undefined) throw notFound(place, `it has no ${SPOOL_FILE}`);
  return {
    path: place.path,
    kind: record.kind,
    group: record.group,
    gid: stat.gid,
    limits: { ...DEFAULT_LIMITS, ...record.limits },
  };
}

function statSpool(place: SpoolPlace, { fileSystem }: Services): Stats {
  const spoolDir = place.path;
  let stat: Stats;
  try {
    stat = fileSystem.lstat(spoolDir);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") throw notFound(place, "there is no such directory", error);
    throw fromErrno(error, "open the spool", spoolDir);
  }
  if (stat.isSymbolicLink()) {
    throw new BusError(
      "ERR_SPOOL_UNTRUSTED",
      `cannot use the spool ${spoolDir}: it is a symbolic link, which its owner may turn elsewhere at any time`,
      {
        path: spoolDir,
        fix: `name the directory itself: AGENTBUS_SPOOL="$(realpath ${shellQuote(spoolDir)})"`,
      },
    );
  }
  if (!stat.isDirectory()) throw notFound(place, "it is not a directory");
  return stat;
}

/**
 * Reads `spool.json`; undefined when there is none.
 * @param gid the group of the spool, to say why it is shut
 * @throws BusError ERR_ACCESS, ERR_SPOOL_UNTRUSTED, ERR_SPOOL_LAYOUT
 */
export async function readSpoolRecord(
  spoolDir: string,
  gid: number,
  { fileSystem, accounts }: Services,
): Promise<SpoolRecord | undefined> {
  const path = join(spoolDir, SPOOL_FILE);
  try {
    const { stat, bytes } = readSmallFile(fileSystem, path, MAX_RECORD_BYTES);
    await requireTrusted(path, stat, accounts);
    return parseRecord(path, bytes);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    if (!(error instanceof UnfitFile)) throw fromErrno(error, "read", path);
    if (error.why === "unreadable") throw await noAccess(spoolDir, gid, accounts, error);
    throw badLayout(path, error.message, error);
  }
}

/** @throws BusError ERR_SPOOL_LAYOUT */
export function parseRecord(path: string, bytes: Buffer): SpoolRecord {
  let record: unknown;
  try {
    record = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw badLayout(path, "it is not JSON", error);
  }
  const layout = (record as { layout?: unknown } | null)?.layout;
  if (Number.isInteger(layout) && layout !== LAYOUT) {
    throw new BusError(
      "ERR_SPOOL_LAYOUT",
      `cannot use ${path}: its layout is version ${layout as number}, and this agentbus knows version ${LAYOUT}`,
      {
        path,
        fix: "use the same version of agentbus as the others: npm install --global @agentbus/cli@latest",
        details: { layout },
      },
    );
  }
  if (!validateSpool(record)) {
    const [error] = validateSpool.errors ?? [];
    throw badLayout(
      path,
      `${error?.instancePath.slice(1).replaceAll("/", ".") || "it"} ${error?.message ?? "is wrong"}`,
    );
  }
  return record as SpoolRecord;
}

/**
 * Writes `spool.json`, whole or not at all.
 * @param replaces false: leaves one that is there as it is
 * @returns whether it was written @throws the system's error
 */
export async function writeSpoolRecord(
  fileSystem: FileSystem,
  spoolDir: string,
  record: SpoolRecord,
  replaces: boolean,
): Promise<boolean> {
  const random = process.getBuiltinModule("node:crypto").randomBytes(8).toString("hex");
  const draftPath = join(spoolDir, `.${SPOOL_FILE}.${random}`);
  const path = join(spoolDir, SPOOL_FILE);
  const fd = fileSystem.open(draftPath, O_CREAT | O_EXCL | O_WRONLY, READABLE_FILE_MODE);
  try {
    writeAll(fileSystem, fd, Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`));
    fileSystem.fchmod(fd, READABLE_FILE_MODE);
    // Once in the life of a spool: after a power cut an empty spool.json would shut everybody out for good.
    await fileSystem.fsync(fd);
    if (replaces) fileSystem.rename(draftPath, path);
    else fileSystem.link(draftPath, path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    fileSystem.close(fd);
    ignoreMissing(() => fileSystem.unlink(draftPath));
  }
}

/** Root's or our own, and nobody else can write to it: everybody else could make themselves a relay, or swap its parts. */
async function requireTrusted(path: string, stat: Stats, accounts: Accounts): Promise<void> {
  const me = process.geteuid?.();
  if (stat.uid !== 0 && stat.uid !== me) {
    const owner = (await accounts.findUser(stat.uid)) ?? `uid${stat.uid}`;
    const { user } = accounts.currentUser();
    throw new BusError(
      "ERR_SPOOL_UNTRUSTED",
      `cannot use ${path}: it belongs to ${owner}, neither to root nor to ${user}${hiddenOwners(stat.uid)}`,
      {
        path,
        fix: `if it is meant for a group: ${asRoot(`chown -h root ${shellQuote(path)}`)}; if it is ${owner}'s own, run as ${owner} or choose another spool (agentbus doctor)`,
        details: { owner, uid: stat.uid },
      },
    );
  }
  if ((stat.mode & OTHERS_MAY_WRITE) !== 0) {
    const command = `chmod go-w ${shellQuote(path)}`;
    throw new BusError(
      "ERR_SPOOL_UNTRUSTED",
      `cannot use ${path}: its mode ${octal(stat.mode)} lets others than its owner change it`,
      {
        path,
        fix: stat.uid === me ? command : asRoot(command),
      },
    );
  }
}

/** user_namespaces(7): an account without a mapping looks like the overflow uid, 65534 unless it was changed. */
function hiddenOwners(uid: number): string {
  return uid === 65_534
    ? " (in a user namespace, such as many sandboxes make, all other accounts look like this one: run outside of it, or map them)"
    : "";
}

function notFound({ path, initCommand }: SpoolPlace, why: string, cause?: unknown): BusError {
  return new BusError("ERR_SPOOL_NOT_FOUND", `cannot use ${path} as a spool: ${why}`, {
    path,
    cause,
    fix: initCommand,
  });
}

function badLayout(path: string, why: string, cause?: unknown): BusError {
  // Out of the spool: agentbus init makes none of a directory that holds something else.
  const away = `${dirname(path)}.${SPOOL_FILE}.bad`;
  return new BusError("ERR_SPOOL_LAYOUT", `cannot use ${path}: ${why}`, {
    path,
    cause,
    fix: `look at it (cat ${shellQuote(path)}); to have it written anew: ${asRoot(`mv ${shellQuote(path)} ${shellQuote(away)}`)}, then agentbus init`,
  });
}
