import { validateSubscription } from "./generated/validators.js";
import { readSmallFile } from "./bounded-read.js";
import type { FileSystem, Path } from "./file-system.js";
import type { Presence } from "./presence.js";
import { INBOX } from "./topics.js";

/** What `subscription.json` says (`schemas/subscription.schema.json`). */
export interface SubscriptionRecord {
  readonly layout: 1;
  readonly kind: "durable" | "ephemeral" | "inbox" | "reply" | "queue";
  /** Absent for a queue, which belongs to its group. */
  readonly user?: string;
  readonly name: string;
  readonly patterns: readonly string[];
  /** What it matched before its owner changed the patterns: such messages may still be waiting. */
  readonly formerPatterns?: readonly string[];
  /** `@user` of an inbox, `@user~name` of the mailbox that answers come to. */
  readonly address?: string;
  readonly createdAt: string;
  /** Files that may wait; beyond it publishers wait, fail or drop. @default the spool's limit */
  readonly maxBacklog?: number;
  readonly maxAttempts?: number;
  /** Its consumer knows files that grow; publishers may append to what they have put there. */
  readonly streams?: true;
  /** Ephemeral subscriptions live as long as this process. */
  readonly consumer?: Presence;
}

export const SUBSCRIPTION_FILE = "subscription.json";
const MAX_RECORD_BYTES = 64 * 1024;

/** Whose subscription a directory name says it is; undefined when the name is not `<user>~<name>`. */
export function parseSubscriptionName(directoryName: string): { user: string; name: string } | undefined {
  const match = /^([A-Za-z0-9_][A-Za-z0-9._-]{0,63})~([A-Za-z0-9_-]{1,64})$/.exec(directoryName);
  return match?.[1] !== undefined && match[2] !== undefined ? { user: match[1], name: match[2] } : undefined;
}

/** Separates short-lived subscriptions from durable ones, whose names their users choose. */
export function isReservedName(name: string): boolean {
  return name === "inbox" || name.startsWith("tmp-") || name.startsWith("reply-");
}

/** How people and results call a subscription: `alice~ci`, `queue:work`. */
export function labelOf(record: Pick<SubscriptionRecord, "kind" | "user" | "name">): string {
  return record.kind === "queue" ? `queue:${record.name}` : `${record.user ?? ""}~${record.name}`;
}

/**
 * Reads a record that somebody else wrote.
 * @throws UnfitFile, SyntaxError, TypeError (does not satisfy the schema), or the system's error
 */
export function readSubscriptionRecord(fileSystem: FileSystem, path: Path): SubscriptionRecord {
  const { bytes } = readSmallFile(fileSystem, path, MAX_RECORD_BYTES);
  const record: unknown = JSON.parse(bytes.toString("utf8"));
  if (!validateSubscription(record)) {
    const [error] = validateSubscription.errors ?? [];
    throw new TypeError(`${error?.instancePath || "it"} ${error?.message ?? "does not satisfy the schema"}`);
  }
  const { kind, user = "", name, address } = record as SubscriptionRecord;
  const ownAddress = kind === "inbox" ? `@${user}` : kind === "reply" ? `@${user}~${name}` : undefined;
  // Nobody has another's address, nor a second inbox.
  if (address !== ownAddress || (kind === "inbox") !== (name === INBOX))
    throw new TypeError(`its address is not that of a subscription of kind ${kind} called ${name}`);
  return record as SubscriptionRecord;
}
