import { errnoOf, fromErrno } from "./errors.js";
import { isMessageFile, ulidOf, ulidTimeMs } from "./message-name.js";
import { isAlive, type Presence } from "./presence.js";
import { SubscriptionIndex } from "./publish/subscription-index.js";
import { isGone, type Target } from "./publish/target.js";
import { REASON_SUFFIX } from "./settle/dead-letters.js";
import { parseCurName, parseRetryName } from "./settle/claim-names.js";
import type { Spool } from "./spool.js";
import type { ConsumerStatus, SpoolStatus, SubscriptionStatus } from "./status.js";
import { heartbeatAgeMs, readConsumer, readPresence } from "./subscribe/consumer-lock.js";
import type { SubscriptionRecord } from "./subscription-record.js";
import { hasTally, TALLY } from "./tally.js";

/** What `inspect` sees in a spool that is open. */
export async function inspectSpool(spool: Spool): Promise<SpoolStatus> {
  const index = new SubscriptionIndex(spool);
  await index.refresh();
  const subscriptions: SubscriptionStatus[] = [];
  for (const target of index.all()) {
    try {
      subscriptions.push(await statusOf(spool, target));
    } catch (error) {
      // Removed while we looked.
      if (!isGone(error)) throw fromErrno(error, "look at the subscription", target.label);
    }
  }
  subscriptions.sort((a, b) => (a.label < b.label ? -1 : 1));
  const { path, kind, group, limits, user } = spool;
  return { path, kind, group, limits, user, subscriptions };
}

async function statusOf(spool: Spool, target: Target): Promise<SubscriptionStatus> {
  const { record, label, identity } = target;
  const waiting = namesIn(spool, target, "new")?.filter(isMessageFile);
  const claims = namesIn(spool, target, "cur")?.flatMap((name) => parseCurName(name) ?? []);
  return {
    label,
    owner: (await spool.accounts.findUser(identity.uid)) ?? `uid${identity.uid}`,
    kind: record.kind,
    patterns: record.patterns,
    address: record.address ?? null,
    backlog: waiting?.length ?? tallied(spool, target) ?? null,
    maxBacklog: record.maxBacklog ?? spool.limits.maxBacklog,
    oldestMs: oldestMs(waiting ?? []),
    inWork: claims?.length ?? null,
    retries: namesIn(spool, target, "retry")?.filter((name) => parseRetryName(name) !== undefined).length ?? null,
    dead: namesIn(spool, target, "dead")?.filter((name) => name.endsWith(REASON_SUFFIX)).length ?? null,
    consumers: presencesOf(spool, record, claims ?? []).map((presence) => consumerOf(spool, presence)),
  };
}

/** undefined when this account may not list it. @throws the system's error; ENOENT when the subscription is gone */
function namesIn({ fileSystem }: Spool, target: Target, name: string): string[] | undefined {
  const directory = target.openDirectory(name);
  try {
    return fileSystem.readdir(directory.base);
  } catch (error) {
    if (errnoOf(error) === "EACCES") return undefined;
    throw error;
  } finally {
    directory.close();
  }
}

function tallied(spool: Spool, target: Target): number | undefined {
  if (!hasTally(spool, target)) return undefined;
  try {
    return namesIn(spool, target, TALLY)?.length;
  } catch (error) {
    // An inbox that was made by hand may have none.
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Name order puts the urgent before the old, so all names count. */
function oldestMs(files: readonly string[]): number | null {
  if (files.length === 0) return null;
  const oldest = files.map(ulidOf).reduce((a, b) => (a < b ? a : b));
  return Math.max(0, Date.now() - ulidTimeMs(oldest));
}

function presencesOf(
  spool: Spool,
  record: SubscriptionRecord,
  claims: readonly { readonly user: string; readonly consumer: string }[],
): Presence[] {
  if (record.consumer !== undefined) return [record.consumer];
  const exclusive =
    record.kind === "queue"
      ? undefined
      : readConsumer(spool, `${spool.subscriptionsDir}/${record.user ?? ""}~${record.name}`);
  if (exclusive !== undefined) return [exclusive];
  const paths = claims.map(({ user, consumer }) => `${spool.path}/run/${user}/${consumer.split("-")[0] ?? ""}.json`);
  return [...new Set(paths)].flatMap((path) => readPresence(spool, path) ?? []);
}

function consumerOf(spool: Spool, presence: Presence): ConsumerStatus {
  const { user, pid, startedAt } = presence;
  return { user, pid, startedAt, isAlive: isAlive(presence, () => heartbeatAgeMs(spool, presence)) };
}
