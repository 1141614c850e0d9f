import { Bus, type OpenBusOptions } from "./bus.js";
import { causeInEnvironment } from "./context.js";
import { loadLater } from "./load-later.js";
import { openSpool, type SpoolSeams } from "./open-spool.js";
import { refuseUnknownOptions, requireInteger, requireOneOf } from "./options.js";
import type { Spool } from "./spool.js";
import { INBOX } from "./topics.js";
import type { AnyTopics } from "./topic-types.js";

const OPTIONS: ReadonlySet<string> = new Set([
  "spool",
  "group",
  "sync",
  "watch",
  "rescanMs",
  "signal",
] satisfies (keyof OpenBusOptions)[]);

export type BusSeams = SpoolSeams;

/**
 * Opens the bus: finds the spool, and makes sure that this account has an inbox in it.
 *
 * In a program that a message's handler started (`subscribe --exec`), what is published follows from that message.
 *
 * `openBus<{ "build.done": Build }>()` gives publishes and messages of that topic their type.
 * @throws TypeError for options that cannot be; BusError ERR_SPOOL_NOT_FOUND, ERR_SPOOL_AMBIGUOUS, ERR_SPOOL_UNTRUSTED,
 * ERR_SPOOL_LAYOUT, ERR_ACCESS, ERR_ACCOUNT, ERR_SQUATTED, ERR_PLATFORM, ERR_DISK_FULL, ERR_ENVELOPE_INVALID (AGENTBUS_CAUSE)
 */
export function openBus<Topics = AnyTopics>(options: OpenBusOptions = {}): Promise<Bus<Topics>> {
  return createBus<Topics>(options);
}

export async function createBus<Topics = AnyTopics>(
  options: OpenBusOptions,
  seams: BusSeams = {},
): Promise<Bus<Topics>> {
  refuseUnknownOptions("openBus", options, OPTIONS);
  requireOneOf("sync", options.sync, ["none", "data", "full"]);
  requireOneOf("watch", options.watch, ["auto", "native", "polling"]);
  requireInteger("rescanMs", options.rescanMs, 10, 3_600_000);
  options.signal?.throwIfAborted();
  const cause = causeInEnvironment(seams.env ?? process.env);
  const spool = await openSpool(options, seams);
  spool.ensureOutbox();
  await ensureInbox(spool);
  return new Bus<Topics>(spool, options, cause);
}

async function ensureInbox(spool: Spool): Promise<void> {
  if (spool.isOwnDirectory(`${spool.subscriptionsDir}/${spool.user}~${INBOX}`)) return;
  // Loaded only here: it is made once.
  const { makeInbox } = await loadLater(() => import("./receiver.js"));
  makeInbox(spool);
}
