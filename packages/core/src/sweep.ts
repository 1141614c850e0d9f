import { isAlive } from "./presence.js";
import { processExists } from "./process-exists.js";
import { errnoOf } from "./errors.js";
import { takeLock } from "./lock.js";
import { Directory, ignoreMissing } from "./directory.js";
import type { Path } from "./file-system.js";
import { removeTree } from "./remove-tree.js";
import type { Spool } from "./spool.js";
import { parseSubscriptionName, readSubscriptionRecord, SUBSCRIPTION_FILE } from "./subscription-record.js";
import { heartbeatAgeMs, presenceIn } from "./subscribe/consumer-lock.js";
import { removeSubscription } from "./subscribe/make-subscription.js";

/** Half-made and half-removed things are left alone for this long, in milliseconds: somebody may be at work on them. */
const SETTLE_MS = 60_000;
const SWEEPING_MS = 30_000;

/** Locks that were never put in place, and directories in which a socket was made. */
const UNFINISHED = /^\.(?:lock-|[a-z2-7]{3}$)/;

export interface Swept {
  /** Ephemeral subscriptions of dead processes. */
  readonly subscriptions: number;
  /** Drafts, receipts and presences of dead processes. */
  readonly files: number;
}

/**
 * Removes what dead processes of this account left behind; another account's leftovers are its own to sweep. One process of the
 * account at a time, so that none removes what another just made sure of.
 */
export async function sweep(spool: Spool): Promise<Swept> {
  spool.ensureRunDir();
  const release = await takeLock(spool, `${spool.runDir}/sweep.lock`, {
    staleMs: SWEEPING_MS,
    updateMs: SWEEPING_MS / 2,
  });
  if (release === undefined) return { subscriptions: 0, files: 0 };
  try {
    sweepUnfinished(spool, spool.subscriptionsDir);
    sweepUnfinished(spool, spool.queuesDir);
    return { subscriptions: sweepSubscriptions(spool), files: sweepPresences(spool) + sweepDrafts(spool) };
  } finally {
    await release();
  }
}

/** What a process was about to install or to remove when it died. */
function sweepUnfinished(spool: Spool, parentDir: string): void {
  for (const name of spool.fileSystem.readdir(parentDir)) {
    if (/^\.(?:new|gone|touch)-/.test(name) && isOldAndOurs(spool, `${parentDir}/${name}`)) {
      removeTree(spool.fileSystem, parentDir, name, spool.uid);
    }
  }
}

function sweepSubscriptions(spool: Spool): number {
  const { fileSystem, subscriptionsDir } = spool;
  let swept = 0;
  for (const name of fileSystem.readdir(subscriptionsDir)) {
    if (parseSubscriptionName(name)?.user !== spool.user || !isAbandoned(spool, name)) continue;
    removeSubscription(spool, { parentDir: subscriptionsDir, directoryName: name });
    swept++;
  }
  return swept;
}

/** Only an ephemeral subscription ends with its process. */
function isAbandoned(spool: Spool, directoryName: string): boolean {
  try {
    const dir = `${spool.subscriptionsDir}/${directoryName}`;
    if (!spool.isOwnDirectory(dir)) return false;
    const { consumer } = readSubscriptionRecord(spool.fileSystem, `${dir}/${SUBSCRIPTION_FILE}`);
    return consumer !== undefined && !isAlive(consumer, () => heartbeatAgeMs(spool, consumer));
  } catch {
    // A squatter's, or one without a readable record: the doctor tells.
    return false;
  }
}

/** Drafts, and receipts in the outbox, of processes that are gone: `.<pid>-<random>.draft` and `.<pid>-<message file>.receipt`. */
function sweepDrafts(spool: Spool): number {
  const { fileSystem, path, user, subscriptionsDir, queuesDir } = spool;
  const own = fileSystem.readdir(subscriptionsDir).filter((name) => parseSubscriptionName(name)?.user === user);
  const queues = fileSystem.readdir(queuesDir).filter((name) => !name.startsWith("."));
  return sum([
    sweepDraftsIn(spool, `${path}/outbox`, user, []),
    sweepDraftsIn(spool, `${path}/run`, user, []),
    ...own.map((name) => sweepDraftsIn(spool, subscriptionsDir, name, ["retry", "dead"])),
    ...queues.map((name) => sweepDraftsIn(spool, queuesDir, name, ["retry", "dead"])),
  ]);
}

/** In a directory and some of those in it, and locks that were never put in place. Pinned, because in a queue any member could put a link in the place of one. */
function sweepDraftsIn(spool: Spool, parent: Directory | string, name: string, parts: readonly string[]): number {
  let directory: Directory;
  try {
    directory = Directory.open(spool.fileSystem, parent, name);
  } catch {
    // Removed meanwhile, a squatter's, or closed to this account.
    return 0;
  }
  try {
    const names = spool.fileSystem.readdir(directory.base);
    const swept = names.filter((entry) => isAbandonedDraft(spool, directory, entry));
    for (const entry of swept) ignoreMissing(() => spool.fileSystem.unlink(directory.at(entry)));
    for (const entry of names) {
      const isUnfinished = UNFINISHED.test(entry) && isOldAndOurs(spool, directory.at(entry));
      if (isUnfinished) removeTree(spool.fileSystem, directory, entry, spool.uid);
    }
    return swept.length + sum(parts.map((part) => sweepDraftsIn(spool, directory, part, [])));
  } catch (error) {
    if (errnoOf(error) === "EACCES") return 0;
    throw error;
  } finally {
    directory.close();
  }
}

function isAbandonedDraft(spool: Spool, directory: Directory, name: string): boolean {
  const pid = /^\.(\d{1,10})-.*\.(?:draft|receipt)$/.exec(name)?.[1];
  return pid !== undefined && !processExists(Number(pid)) && isOldAndOurs(spool, directory.at(name));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/**
 * Nobody else's, and nothing that somebody may be at work on. A process in another pid namespace looks dead from here; its drafts
 * live for milliseconds, its receipts perhaps longer.
 */
function isOldAndOurs({ fileSystem, uid }: Spool, path: Path): boolean {
  try {
    const stat = fileSystem.lstat(path);
    return stat.uid === uid && Date.now() - stat.ctimeMs >= SETTLE_MS;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

function sweepPresences(spool: Spool): number {
  const { fileSystem, runDir } = spool;
  let swept = 0;
  for (const name of fileSystem.readdir(runDir)) {
    const token = /^([a-z2-7]{16})\.json$/.exec(name)?.[1];
    if (token === undefined) continue;
    const presence = presenceIn(spool, `${runDir}/${name}`);
    if (presence !== undefined && isAlive(presence, () => heartbeatAgeMs(spool, presence))) continue;
    // The presence last: without it nobody would find the others any more.
    ignoreMissing(() => fileSystem.unlink(`${runDir}/${token}.channels.json`));
    ignoreMissing(() => fileSystem.rmdir(`${runDir}/${token}.lock`));
    ignoreMissing(() => fileSystem.unlink(`${runDir}/${name}`));
    swept++;
  }
  return swept;
}
