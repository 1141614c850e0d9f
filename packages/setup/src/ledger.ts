/**
 * What the ledger notes about a thing that setup makes or changes, before it does: `key` says which thing ("account:codebot",
 * "group:agents", "member:agents:alice", "file:/etc/sudoers.d/60-agentbus-codebot", "setting:pmset.sleep"). Only what has an
 * entry is ever removed.
 */
export interface Origin {
  readonly key: string;
  /** made: it was not there. changed: it was, with `before`. adopted: it was, and stays. */
  readonly how: "made" | "changed" | "adopted";
  /** The uid or gid that it was made with. */
  readonly id?: number;
  /** What it was before, to be put back by removal. */
  readonly before?: string;
  /** The agent that it belongs to; none: it belongs to all. */
  readonly agent?: string;
}
