import { readSmallFile } from "../bounded-read.js";
import { fromErrno } from "../errors.js";
import { validateReason } from "../generated/validators.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";
import { COPY_SUFFIX, LINK_SUFFIX, REASON_SUFFIX, type DeadLetterRecord } from "./dead-letters.js";

/** A dead letter: what its reason file says, and where it is. */
export interface DeadLetter extends Omit<DeadLetterRecord, "layout"> {
  /** Its name within the subscription. */
  readonly letter: string;
  /** Such as "alice~ci" or "queue:work". */
  readonly subscription: string;
  /** False for what never was a message, and for what nothing is left of. */
  readonly isRetriable: boolean;
}

/** Another look at the same bytes finds the same. */
const NEVER_A_MESSAGE: ReadonlySet<string> = new Set(["bad-name", "not-a-file", "invalid-json", "invalid-envelope"]);
const MAX_REASON_BYTES = 64 * 1024;
const LETTER = /^(?:[0-9]-[0-9A-HJKMNP-TV-Z]{26}-[a-z2-7]{26}(?:\.\d{6})?|stray-[a-z2-7]{16})$/;

/** The dead letters of one subscription. @throws BusError when they cannot be listed */
export function lettersIn(spool: Spool, directories: SubscriptionDirectories): DeadLetter[] {
  const { dead, label } = directories;
  let names: string[];
  try {
    names = spool.fileSystem.readdir(dead.base).sort();
  } catch (error) {
    throw fromErrno(error, "look for dead letters in", dead.path);
  }
  const present = new Set(names);
  return names.flatMap((name) => {
    const letter = name.endsWith(REASON_SUFFIX) ? name.slice(0, -REASON_SUFFIX.length) : "";
    const record = LETTER.test(letter) ? readReason(spool, directories, letter) : undefined;
    if (record === undefined) return [];
    const { layout: _, ...facts } = record;
    const isLeft = present.has(letter + LINK_SUFFIX) || present.has(letter + COPY_SUFFIX);
    const isRetriable = isLeft && !NEVER_A_MESSAGE.has(record.reason);
    return [{ ...facts, letter, subscription: label, isRetriable }];
  });
}

/** undefined for what is no reason file: in a queue any member may have put it there. */
function readReason(spool: Spool, directories: SubscriptionDirectories, letter: string): DeadLetterRecord | undefined {
  const { fileSystem } = spool;
  const { dead, record } = directories;
  try {
    const { bytes } = readSmallFile(fileSystem, dead.atOwn(letter + REASON_SUFFIX), MAX_REASON_BYTES);
    const reason: unknown = JSON.parse(bytes.toString("utf8"));
    if (!validateReason(reason)) return undefined;
    const facts = reason as DeadLetterRecord;
    return record.kind === "queue" ? { ...facts, sender: ownerOfLink(spool, directories, letter) } : facts;
  } catch {
    return undefined;
  }
}

/** In a queue the reason is some member's word; the owner of the message's own file is not. */
function ownerOfLink(
  { fileSystem, accounts }: Spool,
  { dead }: SubscriptionDirectories,
  letter: string,
): DeadLetter["sender"] {
  try {
    const { uid } = fileSystem.lstat(dead.atOwn(letter + LINK_SUFFIX));
    return { uid, user: accounts.userOf(uid) ?? null };
  } catch {
    return null;
  }
}
