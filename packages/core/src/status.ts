import { openSpool, type SpoolSeams } from "./open-spool.js";
import type { SpoolChoice } from "./spool-location.js";
import type { ChannelEntry } from "./channel/ledger.js";
import type { SpoolLimits } from "./spool.js";
import type { SubscriptionRecord } from "./subscription-record.js";

/** A spool and its subscriptions, as one account sees them. */
export interface SpoolStatus {
  readonly path: string;
  readonly kind: "group" | "personal";
  readonly group: string | undefined;
  readonly limits: SpoolLimits;
  /** Who looks, which decides what can be seen. */
  readonly user: string;
  /** In the order of their labels; those that somebody else made in a user's name are left out. */
  readonly subscriptions: readonly SubscriptionStatus[];
  /** The open ends of pipes and sockets, as their processes show them. */
  readonly channels: readonly ChannelStatus[];
}

/** One open end of a pipe or a socket. */
export interface ChannelStatus extends ChannelEntry {
  /** Whose end it is. */
  readonly user: string;
  readonly pid: number;
}

/** One subscription. What the looking account may not see is null. */
export interface SubscriptionStatus {
  /** Such as "alice~ci" or "queue:work". */
  readonly label: string;
  /** The account that it belongs to; of a queue, who made it. */
  readonly owner: string;
  readonly kind: SubscriptionRecord["kind"];
  readonly patterns: readonly string[];
  /** Of an inbox: what direct messages are sent to. */
  readonly address: string | null;
  /** Files that wait; one file may hold several messages. */
  readonly backlog: number | null;
  /** At so many files publishers wait, fail or drop. */
  readonly maxBacklog: number;
  /** The age of the longest waiting file, in milliseconds; null also when none waits. */
  readonly oldestMs: number | null;
  /** Files that a consumer has taken and not settled. */
  readonly inWork: number | null;
  /** Files that wait for another attempt. */
  readonly retries: number | null;
  readonly dead: number | null;
  /** Who consumes it. A dead one of several that share it shows only while it has a message in work. */
  readonly consumers: readonly ConsumerStatus[];
}

export interface ConsumerStatus {
  readonly user: string;
  readonly pid: number;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly isAlive: boolean;
}

/**
 * Looks at a spool from outside, as any member may: nothing is opened, claimed or made in it.
 *
 * Loaded when it is called: who only publishes shall not wait for it.
 * @throws BusError as `openBus`
 */
export async function inspect(choice: SpoolChoice = {}, seams: SpoolSeams = {}): Promise<SpoolStatus> {
  const { inspectSpool } = await import("./inspect-spool.js");
  return inspectSpool(await openSpool(choice, seams));
}
