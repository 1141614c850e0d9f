import { errnoOf, fromErrno } from "./errors.js";
import type { Spool } from "./spool.js";
import { SubscriptionDirectories } from "./subscription-directories.js";
import { parseSubscriptionName, readSubscriptionRecord, SUBSCRIPTION_FILE } from "./subscription-record.js";
import { isSubscriptionName } from "./topics.js";

/**
 * The subscriptions that this account looks after, its own and all queues, each open until the next is asked for. What is
 * none, or not its owner's, is left out: the doctor tells.
 * @throws BusError ERR_ACCESS, ERR_TOO_MANY_FILES …
 */
export function* ownSubscriptions(spool: Spool): Generator<SubscriptionDirectories, void, undefined> {
  for (const place of placesIn(spool)) {
    const directories = tryToOpen(spool, place);
    if (directories === undefined) continue;
    try {
      yield directories;
    } finally {
      directories.close();
    }
  }
}

interface Place {
  readonly parentDir: string;
  readonly directoryName: string;
}

function placesIn({ fileSystem, subscriptionsDir, queuesDir, user }: Spool): Place[] {
  const list = (parentDir: string, isMeant: (name: string) => boolean): Place[] => {
    try {
      const names = fileSystem.readdir(parentDir).filter(isMeant).sort();
      return names.map((directoryName) => ({ parentDir, directoryName }));
    } catch (error) {
      throw fromErrno(error, "look for subscriptions in", parentDir);
    }
  };
  return [
    ...list(subscriptionsDir, (name) => parseSubscriptionName(name)?.user === user),
    ...list(queuesDir, isSubscriptionName),
  ];
}

function tryToOpen(spool: Spool, { parentDir, directoryName }: Place): SubscriptionDirectories | undefined {
  const path = `${parentDir}/${directoryName}`;
  try {
    if (parentDir === spool.subscriptionsDir && !spool.isOwnDirectory(path)) return undefined;
    const record = readSubscriptionRecord(spool.fileSystem, `${path}/${SUBSCRIPTION_FILE}`);
    return new SubscriptionDirectories(spool, parentDir, directoryName, record);
  } catch (error) {
    if (errnoOf(error) === "EMFILE" || errnoOf(error) === "ENFILE") throw fromErrno(error, "open", path);
    return undefined;
  }
}
