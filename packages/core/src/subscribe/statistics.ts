/** What has become of the messages of a subscription since it was opened. */
export interface SubscriptionStatistics {
  /** Handed out, each attempt counted. */
  delivered: number;
  acked: number;
  /** Put back for another attempt. */
  nacked: number;
  /** Given up: rejected, or out of attempts. */
  rejected: number;
  /** Not delivered and kept in `dead/`, by reason. */
  refused: Record<string, number>;
  /** Dropped, because a message of the same sender and id was delivered before. */
  duplicates: number;
  /** Dropped, because their time was over. */
  expired: number;
}

export function noStatistics(): SubscriptionStatistics {
  return { delivered: 0, acked: 0, nacked: 0, rejected: 0, refused: {}, duplicates: 0, expired: 0 };
}
