import { Directory, ignoreMissing } from "../directory.js";
import { BusError, errnoOf, fromErrno } from "../errors.js";
import { makeDirectory } from "../make-directory.js";
import {
  directoryMode,
  DROP_BOX_MODE,
  INBOX_MODE,
  PRIVATE_MODE,
  QUEUE_MODE,
  READABLE_FILE_MODE,
  READABLE_MODE,
} from "../permissions.js";
import { writeOwnFile } from "../private-file.js";
import { removeTree } from "../remove-tree.js";
import type { Spool } from "../spool.js";
import { readSubscriptionRecord, SUBSCRIPTION_FILE, type SubscriptionRecord } from "../subscription-record.js";
import { TALLY } from "../tally.js";

/** What a subscriber wants; the rest of the record follows. */
export type SubscriptionWish = Omit<SubscriptionRecord, "layout" | "createdAt" | "user" | "formerPatterns">;

/** Where a subscription stands. */
export interface SubscriptionPlace {
  readonly parentDir: string;
  readonly directoryName: string;
}

const MAX_FORMER_PATTERNS = 100;

export function placeOf(spool: Spool, { kind, name }: Pick<SubscriptionRecord, "kind" | "name">): SubscriptionPlace {
  return kind === "queue"
    ? { parentDir: spool.queuesDir, directoryName: name }
    : { parentDir: spool.subscriptionsDir, directoryName: `${spool.user}~${name}` };
}

/**
 * Makes a subscription unless it stands already: whole under a hidden name and renamed into place, so that a publisher sees all of
 * it or nothing. When this returns, every publish that starts afterwards finds it.
 * @throws BusError ERR_SQUATTED, ERR_ACCESS, ERR_DISK_FULL …
 */
export function createSubscription(spool: Spool, wish: SubscriptionWish): void {
  const place = placeOf(spool, wish);
  try {
    if (isThere(spool, place, wish)) return;
    build(spool, place, compose(spool, wish, new Date().toISOString()));
    if (wish.kind === "queue") bump(spool, place.parentDir);
  } catch (error) {
    throw fromErrno(error, "make the subscription", `${place.parentDir}/${place.directoryName}`);
  }
}

/**
 * Brings a subscription that stands already to what is wished now; publishes that start afterwards go by it.
 * @throws BusError ERR_ACCESS for a queue that is somebody else's and takes something else
 */
export function adaptSubscription(spool: Spool, wish: SubscriptionWish): SubscriptionRecord {
  const place = placeOf(spool, wish);
  try {
    return adapt(spool, place, wish);
  } catch (error) {
    throw fromErrno(error, "change the subscription", `${place.parentDir}/${place.directoryName}`);
  }
}

/** Removes a subscription of this account, with everything in it. @returns false when something that others planted stays */
export function removeSubscription(spool: Spool, { parentDir, directoryName }: SubscriptionPlace): boolean {
  const hidden = `.gone-${spool.names.random(16)}`;
  const { fileSystem } = spool;
  try {
    // From here on it receives nothing, whatever becomes of the rest.
    fileSystem.rename(`${parentDir}/${directoryName}`, `${parentDir}/${hidden}`);
    return removeTree(fileSystem, parentDir, hidden, spool.uid);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return true;
    throw fromErrno(error, "remove the subscription", `${parentDir}/${directoryName}`);
  }
}

function isThere(spool: Spool, { parentDir, directoryName }: SubscriptionPlace, wish: SubscriptionWish): boolean {
  const path = `${parentDir}/${directoryName}`;
  if (wish.kind !== "queue") return spool.isOwnDirectory(path);
  try {
    const stat = spool.fileSystem.lstat(path);
    if (stat.isDirectory()) return true;
    throw spool.squatted(path, stat.uid);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

function build(spool: Spool, { parentDir, directoryName }: SubscriptionPlace, record: SubscriptionRecord): void {
  const { fileSystem } = spool;
  const hidden = `.new-${spool.names.random(16)}`;
  const dir = `${parentDir}/${hidden}`;
  try {
    for (const [name, mode] of directoriesOf(spool, record.kind)) makeDirectory(fileSystem, `${dir}${name}`, mode);
    write(spool, { parentDir, directoryName: hidden }, record);
    fileSystem.rename(dir, `${parentDir}/${directoryName}`);
  } catch (error) {
    removeTree(fileSystem, parentDir, hidden, spool.uid);
    const isOthersWork = errnoOf(error) === "ENOTEMPTY" || errnoOf(error) === "EEXIST";
    // Another process was faster: of this account, or with a queue of any.
    if (isOthersWork && isThere(spool, { parentDir, directoryName }, record)) return;
    // Somebody else's empty directory of that name: sticky says EPERM (Linux) or EACCES (macOS).
    if (record.kind !== "queue") spool.isOwnDirectory(`${parentDir}/${directoryName}`);
    throw error;
  }
}

function directoriesOf(spool: Spool, kind: SubscriptionRecord["kind"]): [name: string, mode: number][] {
  const mode = (groupMode: number) => directoryMode(spool.kind, groupMode);
  if (kind === "queue") return ["", "/new", "/cur", "/retry", "/dead"].map((name) => [name, mode(QUEUE_MODE)]);
  const isListed = kind === "durable" || kind === "ephemeral";
  const directories: [string, number][] = [
    ["", mode(READABLE_MODE)],
    ["/new", mode(isListed ? DROP_BOX_MODE : INBOX_MODE)],
    ["/cur", PRIVATE_MODE],
    ["/retry", PRIVATE_MODE],
    ["/dead", PRIVATE_MODE],
  ];
  if (kind === "inbox" && spool.kind === "group") directories.push([`/${TALLY}`, DROP_BOX_MODE]);
  return directories;
}

/** Brings a subscription that stands already to what is wished now. */
function adapt(spool: Spool, place: SubscriptionPlace, wish: SubscriptionWish): SubscriptionRecord {
  const dir = `${place.parentDir}/${place.directoryName}`;
  // A part of it may have been removed. Nobody else's is ours to mend.
  if (spool.fileSystem.lstat(dir).uid === spool.uid) makeMissingParts(spool, dir, wish.kind);
  // After it: whoever removes all of it just now leaves no parts without a record.
  const known = readKnown(spool, place);
  if (known === undefined) return restore(spool, place, wish);
  const formerPatterns = former(known, wish);
  const record: SubscriptionRecord = {
    ...compose(spool, wish, known.createdAt),
    ...(formerPatterns.length > 0 ? { formerPatterns } : {}),
  };
  if (sameWish(known, record)) {
    // Whoever wrote it may have died before this, and publishers still go by the version before.
    bump(spool, place.parentDir);
    return known;
  }
  if (wish.kind === "queue") refuseChange(spool, place, known, wish);
  write(spool, place, record);
  bump(spool, place.parentDir);
  return record;
}

/**
 * A directory without a readable record, by hand or by accident: made complete.
 * @throws BusError ERR_SQUATTED for somebody else's in the place of a queue
 */
function restore(spool: Spool, place: SubscriptionPlace, wish: SubscriptionWish): SubscriptionRecord {
  const dir = `${place.parentDir}/${place.directoryName}`;
  const stat = spool.fileSystem.lstat(dir);
  if (stat.uid !== spool.uid) throw spool.squatted(dir, stat.uid);
  // What waits in it may be as old as it is.
  const bornMs = Math.min(stat.birthtimeMs || Date.now(), Date.now());
  const record = compose(spool, wish, new Date(bornMs).toISOString());
  makeMissingParts(spool, dir, wish.kind);
  write(spool, place, record);
  bump(spool, place.parentDir);
  return record;
}

/** @throws the system's error; ENOENT when the subscription itself is gone */
function makeMissingParts(spool: Spool, dir: string, kind: SubscriptionRecord["kind"]): void {
  for (const [name, mode] of directoriesOf(spool, kind)) {
    if (name === "" || isPlaceTaken(spool, `${dir}${name}`)) continue;
    try {
      makeDirectory(spool.fileSystem, `${dir}${name}`, mode);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
  }
}

function isPlaceTaken({ fileSystem }: Spool, path: string): boolean {
  try {
    fileSystem.lstat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

function readKnown(spool: Spool, { parentDir, directoryName }: SubscriptionPlace): SubscriptionRecord | undefined {
  try {
    return readSubscriptionRecord(spool.fileSystem, `${parentDir}/${directoryName}/${SUBSCRIPTION_FILE}`);
  } catch (error) {
    if (errnoOf(error) === "EMFILE" || errnoOf(error) === "ENFILE" || errnoOf(error) === "EIO") throw error;
    return undefined;
  }
}

function compose(spool: Spool, wish: SubscriptionWish, createdAt: string): SubscriptionRecord {
  return { layout: 1, ...wish, ...(wish.kind === "queue" ? {} : { user: spool.user }), createdAt };
}

function former(known: SubscriptionRecord, wish: SubscriptionWish): string[] {
  const wanted = new Set(wish.patterns);
  const all = [...known.patterns, ...(known.formerPatterns ?? [])].filter((pattern) => !wanted.has(pattern));
  return [...new Set(all)].slice(0, MAX_FORMER_PATTERNS);
}

function sameWish(known: SubscriptionRecord, wanted: SubscriptionRecord): boolean {
  const text = (record: SubscriptionRecord) =>
    JSON.stringify([
      record.kind,
      record.patterns,
      record.maxBacklog,
      record.maxAttempts,
      record.address,
      record.consumer,
      record.streams,
    ]);
  return text(known) === text(wanted);
}

/** A queue is shared: only who made it says what it takes. */
function refuseChange(
  spool: Spool,
  { parentDir, directoryName }: SubscriptionPlace,
  known: SubscriptionRecord,
  wish: SubscriptionWish,
): void {
  const path = `${parentDir}/${directoryName}`;
  const { uid } = spool.fileSystem.lstat(path);
  if (uid === spool.uid) return;
  const owner = spool.accounts.userOf(uid) ?? `uid ${uid}`;
  throw new BusError(
    "ERR_ACCESS",
    `cannot change the queue ${directoryName}: it belongs to ${owner}, and takes ${known.patterns.join(", ")}`,
    {
      path,
      fix: `subscribe with its own patterns and limits (${JSON.stringify(known.patterns)}), or choose another name than ${JSON.stringify(wish.name)}`,
    },
  );
}

function write(spool: Spool, { parentDir, directoryName }: SubscriptionPlace, record: SubscriptionRecord): void {
  const directory = Directory.open(spool.fileSystem, parentDir, directoryName);
  try {
    writeOwnFile(spool, directory, SUBSCRIPTION_FILE, `${JSON.stringify(record, undefined, 2)}\n`, READABLE_FILE_MODE);
  } finally {
    directory.close();
  }
}

/** Changes the directory above, and that of all subscriptions, whose change time is what publishers look at. */
function bump(spool: Spool, parentDir: string): void {
  for (const where of new Set([parentDir, spool.subscriptionsDir])) {
    const dir = `${where}/.touch-${spool.names.random(16)}`;
    spool.fileSystem.mkdir(dir, PRIVATE_MODE);
    ignoreMissing(() => spool.fileSystem.rmdir(dir));
  }
}
