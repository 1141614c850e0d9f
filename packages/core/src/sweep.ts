import { isAlive } from "./presence.js";
import { errnoOf } from "./errors.js";
import { takeLock } from "./lock.js";
import { ignoreMissing } from "./directory.js";
import { removeTree } from "./remove-tree.js";
import type { Spool } from "./spool.js";
import { parseSubscriptionName, readSubscriptionRecord, SUBSCRIPTION_FILE } from "./subscription-record.js";
import { heartbeatAgeMs, readPresence } from "./subscribe/consumer-lock.js";
import { removeSubscription } from "./subscribe/make-subscription.js";

/** Half-made and half-removed things are left alone for this long, in milliseconds: somebody may be at work on them. */
const SETTLE_MS = 60_000;
const SWEEPING_MS = 30_000;

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
  const release = await takeLock(`${spool.runDir}/sweep.lock`, { staleMs: SWEEPING_MS });
  if (release === undefined) return { subscriptions: 0, files: 0 };
  try {
    return { subscriptions: sweepSubscriptions(spool), files: sweepOutbox(spool) + sweepPresences(spool) };
  } finally {
    await release();
  }
}

function sweepSubscriptions(spool: Spool): number {
  const { fileSystem, subscriptionsDir } = spool;
  let swept = 0;
  for (const name of fileSystem.readdir(subscriptionsDir)) {
    if (name.startsWith(".gone-") || name.startsWith(".new-")) removeIfOld(spool, name);
    else if (parseSubscriptionName(name)?.user === spool.user && isAbandoned(spool, name)) {
      removeSubscription(spool, { parentDir: subscriptionsDir, directoryName: name });
      swept++;
    }
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

function removeIfOld(spool: Spool, name: string): void {
  const { fileSystem, subscriptionsDir } = spool;
  try {
    const stat = fileSystem.lstat(`${subscriptionsDir}/${name}`);
    if (stat.uid !== spool.uid || Date.now() - stat.ctimeMs < SETTLE_MS) return;
    removeTree(fileSystem, subscriptionsDir, name, spool.uid);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

/** `.<pid>-<random>.draft` and `.<pid>-<message file>.receipt`. */
function sweepOutbox(spool: Spool): number {
  const { fileSystem, outboxDir } = spool;
  let swept = 0;
  for (const name of fileSystem.readdir(outboxDir)) {
    const pid = /^\.(\d{1,10})-.*\.(?:draft|receipt)$/.exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    const path = `${outboxDir}/${name}`;
    try {
      // A process in another pid namespace looks dead from here; its drafts live for milliseconds, its receipts perhaps longer.
      if (Date.now() - fileSystem.lstat(path).ctimeMs < SETTLE_MS) continue;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") continue;
      throw error;
    }
    ignoreMissing(() => fileSystem.unlink(path));
    swept++;
  }
  return swept;
}

function sweepPresences(spool: Spool): number {
  const { fileSystem, runDir } = spool;
  let swept = 0;
  for (const name of fileSystem.readdir(runDir)) {
    const token = /^([a-z2-7]{16})\.json$/.exec(name)?.[1];
    if (token === undefined) continue;
    const presence = readPresence(spool, `${runDir}/${name}`);
    if (presence !== undefined && isAlive(presence, () => heartbeatAgeMs(spool, presence))) continue;
    ignoreMissing(() => fileSystem.unlink(`${runDir}/${name}`));
    ignoreMissing(() => fileSystem.rmdir(`${runDir}/${token}.lock`));
    swept++;
  }
  return swept;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
