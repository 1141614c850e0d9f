import { errnoOf, fromErrno } from "./errors.js";
import { readSmallFile } from "./bounded-read.js";
import { completeLines, NEWLINE } from "./deliver/load.js";
import { PlainLines } from "./deliver/plain-lines.js";
import { isMessageFile, isStream, ulidOf, ulidTimeMs } from "./message-name.js";
import type { ChannelsRecord } from "./channel/ledger.js";
import { validateChannels } from "./generated/validators.js";
import { isAlive, type Presence } from "./presence.js";
import { SubscriptionIndex } from "./publish/subscription-index.js";
import { isGone, type Target } from "./publish/target.js";
import { Progress } from "./settle/progress.js";
import { REASON_SUFFIX } from "./settle/dead-letters.js";
import { parseCurName, parseRetryName } from "./settle/claim-names.js";
import type { Spool } from "./spool.js";
import type { ChannelStatus, ConsumerStatus, SpoolStatus, SubscriptionStatus } from "./status.js";
import { heartbeatAgeMs, readConsumer, readPresence } from "./subscribe/consumer-lock.js";
import { hasTally, TALLY } from "./tally.js";

/** Streams that are read to count what is in them … */
const MAX_STREAMS_READ = 100;
/** … which have so many bytes at most (publish/streams.ts). */
const MAX_STREAM_BYTES = 1024 * 1024;

/** Of the record of a process's channels. */
const MAX_CHANNELS_BYTES = 1024 * 1024;

/** Processes whose presence is read. */
const MAX_PRESENCES = 1_000;

/** What `inspect` sees in a spool that is open. */
export async function inspectSpool(spool: Spool): Promise<SpoolStatus> {
  const index = new SubscriptionIndex(spool);
  await index.refresh();
  const subscriptions: SubscriptionStatus[] = [];
  const shown = presencesIn(spool);
  for (const target of index.all()) {
    try {
      subscriptions.push(await statusOf(spool, target, shown));
    } catch (error) {
      // Removed while we looked.
      if (!isGone(error)) throw fromErrno(error, "look at the subscription", target.label);
    }
  }
  subscriptions.sort((a, b) => (a.label < b.label ? -1 : 1));
  const { path, kind, group, limits, user } = spool;
  return { path, kind, group, limits, user, subscriptions, channels: channelsOf(spool, shown) };
}

async function statusOf(spool: Spool, target: Target, shown: readonly Presence[]): Promise<SubscriptionStatus> {
  const { record, label, identity } = target;
  const waiting = namesIn(spool, target, "new")?.filter(isMessageFile);
  const claims = namesIn(spool, target, "cur")?.flatMap((name) => parseCurName(name) ?? []);
  const retries = namesIn(spool, target, "retry")?.filter((name) => parseRetryName(name) !== undefined);
  return {
    label,
    owner: (await spool.accounts.findUser(identity.uid)) ?? `uid${identity.uid}`,
    kind: record.kind,
    patterns: record.patterns,
    address: record.address ?? null,
    backlog: (await messagesIn(spool, target, "new", waiting)) ?? tallied(spool, target) ?? null,
    maxBacklog: record.maxBacklog ?? spool.limits.maxBacklog,
    oldestMs: oldestMs(waiting ?? []),
    inWork: (await inWork(spool, target, claims)) ?? null,
    retries: (await messagesIn(spool, target, "retry", retries)) ?? null,
    dead: namesIn(spool, target, "dead")?.filter((name) => name.endsWith(REASON_SUFFIX)).length ?? null,
    consumers: consumersOf(spool, target, claims ?? [], shown),
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

/** Files, but of those that may have grown the messages in them that are not settled, as long as there are few such files. */
async function messagesIn(
  spool: Spool,
  target: Target,
  where: "new" | "retry",
  names: readonly string[] | undefined,
): Promise<number | undefined> {
  if (names === undefined) return undefined;
  const streams = names.filter(isStream).slice(0, MAX_STREAMS_READ);
  let total = names.length - streams.length;
  if (streams.length === 0) return total;
  const directory = target.openDirectory(where);
  try {
    for (const name of streams) {
      const file = where === "retry" ? parseRetryName(name)?.file : undefined;
      const settled = file === undefined ? 0 : ((await notesOn(spool, target, file))?.settled ?? 0);
      total += Math.max(0, linesIn(spool, directory.atOwn(name)) - settled);
    }
  } finally {
    directory.close();
  }
  return total;
}

/** A stream is claimed as long as it grows, whether or not a message of it is in work. */
async function inWork(
  spool: Spool,
  target: Target,
  claims: readonly { readonly file: string }[] | undefined,
): Promise<number | undefined> {
  if (claims === undefined) return undefined;
  const streams = claims.filter(({ file }) => isStream(file));
  let total = claims.length - streams.length;
  for (const { file } of streams) total += (await notesOn(spool, target, file))?.inWork ?? 0;
  return total;
}

async function notesOn(spool: Spool, target: Target, file: string): Promise<Progress | undefined> {
  const claimed = target.openDirectory("cur");
  try {
    const progress = new Progress(spool.fileSystem, claimed.base, file);
    await progress.read();
    return progress;
  } catch {
    // Not ours to read.
    return undefined;
  } finally {
    claimed.close();
  }
}

function linesIn(spool: Spool, path: string): number {
  try {
    const { bytes } = readSmallFile(spool.fileSystem, path, MAX_STREAM_BYTES);
    return completeLines(bytes, bytes.lastIndexOf(NEWLINE) + 1, 0, new PlainLines()).envelopes.length;
  } catch {
    // Taken since, or nothing that a publisher of ours wrote.
    return 1;
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

function consumersOf(
  spool: Spool,
  { record, label }: Target,
  claims: readonly { readonly user: string; readonly consumer: string }[],
  shown: readonly Presence[],
): ConsumerStatus[] {
  if (record.consumer !== undefined) return [consumerOf(spool, record.consumer)];
  const exclusive =
    record.kind === "queue"
      ? undefined
      : readConsumer(spool, `${spool.subscriptionsDir}/${record.user ?? ""}~${record.name}`);
  if (exclusive !== undefined) return [consumerOf(spool, exclusive)];
  // Of several those that say so and live, and those that have something in work, dead or alive.
  const paths = claims.map(({ user, consumer }) => `${spool.path}/run/${user}/${consumer.split("-")[0] ?? ""}.json`);
  const atWork = [...new Set(paths)].flatMap((path) => readPresence(spool, path) ?? []);
  const tokens = new Set(atWork.map(({ token }) => token));
  const idle = shown.filter(
    ({ consumes = [], token, user }) =>
      consumes.includes(label) && !tokens.has(token) && (record.kind === "queue" || user === record.user),
  );
  return [
    ...atWork.map((presence) => consumerOf(spool, presence)),
    ...idle.map((presence) => consumerOf(spool, presence)).filter(({ isAlive: lives }) => lives),
  ];
}

/** What the processes in `run/` say of themselves; each only of its own account. */
function presencesIn(spool: Spool): Presence[] {
  const { fileSystem, path } = spool;
  const presences: Presence[] = [];
  for (const user of namesOf(fileSystem, `${path}/run`)) {
    const dir = `${path}/run/${user}`;
    for (const name of namesOf(fileSystem, dir)) {
      if (!name.endsWith(".json") || presences.length >= MAX_PRESENCES) continue;
      const presence = readPresence(spool, `${dir}/${name}`);
      if (presence?.user === user && `${presence.token}.json` === name) presences.push(presence);
    }
  }
  return presences;
}

/** What the living among these processes say of their pipes and sockets. */
function channelsOf(spool: Spool, shown: readonly Presence[]): ChannelStatus[] {
  const channels: ChannelStatus[] = [];
  for (const presence of shown) {
    const { user, token, pid } = presence;
    const record = readChannels(spool, `${spool.path}/run/${user}/${token}.channels.json`);
    if (record?.token !== token || !isAlive(presence, () => heartbeatAgeMs(spool, presence))) continue;
    for (const entry of record.channels) channels.push({ user, pid, ...entry });
  }
  const place = ({ user, kind, role, name, peer }: ChannelStatus) => [user, kind, role, name, peer].join(" ");
  return channels.sort((a, b) => (place(a) < place(b) ? -1 : 1));
}

/** undefined when there is none, or none that can be read: it tells people, and nothing goes by it. */
function readChannels({ fileSystem }: Spool, path: string): ChannelsRecord | undefined {
  try {
    const { bytes } = readSmallFile(fileSystem, path, MAX_CHANNELS_BYTES);
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return validateChannels(value) ? (value as ChannelsRecord) : undefined;
  } catch {
    return undefined;
  }
}

function namesOf(fileSystem: Spool["fileSystem"], dir: string): string[] {
  try {
    return fileSystem.lstat(dir).isDirectory() ? fileSystem.readdir(dir) : [];
  } catch {
    // Gone, or not for us to read.
    return [];
  }
}

function consumerOf(spool: Spool, presence: Presence): ConsumerStatus {
  const { user, pid, startedAt } = presence;
  return { user, pid, startedAt, isAlive: isAlive(presence, () => heartbeatAgeMs(spool, presence)) };
}
