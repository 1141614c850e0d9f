import { Peek, type PeekedMessage } from "../deliver/peek.js";
import type { Refusal } from "../deliver/refusal.js";
import { fromErrno } from "../errors.js";
import { refuseUnknownOptions } from "../options.js";
import { SubscriptionDirectories } from "../subscription-directories.js";
import { readSubscriptionRecord, SUBSCRIPTION_FILE } from "../subscription-record.js";
import { INBOX } from "../topics.js";
import { watchDirectory } from "../watch/choose.js";
import type { Watcher } from "../watch/watcher.js";
import { Alarm } from "./alarm.js";
import { placeOf } from "./make-subscription.js";
import type { SubscriptionHost } from "./open-subscription.js";

export interface PeekOptions {
  /** Called for each message that will not be delivered. */
  readonly onRefused?: ((refusal: Refusal) => void) | undefined;
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
}

const OPTIONS: ReadonlySet<string> = new Set(["onRefused", "signal"] satisfies (keyof PeekOptions)[]);

/** @throws TypeError, BusError ERR_ACCESS, ERR_IO, ERR_TOO_MANY_FILES */
export async function* peekInbox(
  host: SubscriptionHost,
  options: PeekOptions,
  closing: AbortSignal,
): AsyncGenerator<PeekedMessage, void, undefined> {
  refuseUnknownOptions("peek", options, OPTIONS);
  const signal = AbortSignal.any([closing, ...(options.signal === undefined ? [] : [options.signal])]);
  const alarm = new Alarm();
  const ring = () => alarm.ring();
  const { parentDir, directoryName } = placeOf(host.spool, { kind: "inbox", name: INBOX });
  const path = `${parentDir}/${directoryName}`;
  let directories: SubscriptionDirectories | undefined;
  let watcher: Watcher | undefined;
  let stopTicking: (() => void) | undefined;
  try {
    const record = readSubscriptionRecord(host.spool.fileSystem, `${path}/${SUBSCRIPTION_FILE}`);
    directories = new SubscriptionDirectories(host.spool, parentDir, directoryName, record);
    const peek = new Peek(host.spool, directories);
    watcher = await watchDirectory(directories.new.base, { mode: host.watch, path, onChange: ring });
    stopTicking = host.everyNowAndThen(async () => ring());
    signal.addEventListener("abort", ring);
    while (!signal.aborted) {
      yield* peek.look(options.onRefused);
      if (!signal.aborted) await alarm.hasRung();
    }
  } catch (error) {
    throw fromErrno(error, "look into the inbox", path);
  } finally {
    signal.removeEventListener("abort", ring);
    stopTicking?.();
    watcher?.close();
    directories?.close();
  }
}
