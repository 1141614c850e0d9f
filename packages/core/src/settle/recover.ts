import { errnoOf, fromErrno } from "../errors.js";
import { ignoreMissing } from "../directory.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";
import { parseCurName, parseRetryName, retryName, SUSPECT_DUE_MS, type CurName } from "./claim-names.js";
import { fileOfProgress } from "./progress.js";

export interface Recovery {
  readonly recovered: number;
  readonly left: number;
}

/** Notes are left alone for this long where others may be at work, in milliseconds. */
const SETTLE_MS = 60_000;

/**
 * Returns the claims of consumers that died: what was in work is due at once, in its old place in the order, with the attempt counted.
 *
 * A claim comes back by one rename(2), which needs no room on the disk: of several consumers that recover at once, the one that comes
 * second finds nothing, which is fine. Notes on a file of several envelopes stay where they are, for whoever takes it next.
 * A claim that cannot be brought back stays, and stands in nobody's way: a member of a queue put it there.
 * @param isDead whether the consumer that a claim names is gone
 * @returns how many claims came back, and how many could not
 */
export function recoverClaims(
  spool: Spool,
  { cur, retry }: SubscriptionDirectories,
  isDead: (claim: CurName) => boolean,
): Recovery {
  let recovered = 0;
  let left = 0;
  for (const name of spool.fileSystem.readdir(cur.base)) {
    const claim = parseCurName(name);
    if (claim === undefined || !isDead(claim)) continue;
    const target = retryName({ dueMs: SUSPECT_DUE_MS, attempts: claim.attempt, file: claim.file });
    try {
      ignoreMissing(() => spool.fileSystem.rename(cur.atOwn(name), retry.atOwn(target)));
      recovered++;
    } catch (error) {
      if (!STAYS.has(errnoOf(error) ?? "")) throw fromErrno(error, "bring back an unfinished message in", cur.path);
      left++;
    }
  }
  return { recovered, left };
}

const STAYS = new Set(["EAGAIN", "EACCES", "EPERM", "EISDIR", "ENOTEMPTY"]);

/**
 * Removes notes whose file is gone: their consumer died between the two removals.
 * @param isAlone whether nobody else consumes, so that no file is on its way between the two directories
 */
export function removeOrphanedNotes(
  { fileSystem }: Spool,
  { cur, retry, record }: SubscriptionDirectories,
  isAlone: boolean,
): void {
  // A file in a queue holds one envelope, so notes there are none of ours.
  if (record.kind === "queue") return;
  const notes = fileSystem.readdir(cur.base).filter((name) => fileOfProgress(name) !== undefined);
  if (notes.length === 0) return;
  const waiting = () => fileSystem.readdir(retry.base).map((name) => parseRetryName(name)?.file);
  const before = waiting();
  const claimed = fileSystem.readdir(cur.base).map((name) => parseCurName(name)?.file);
  const files = new Set([...before, ...claimed, ...waiting()]);
  for (const name of notes) {
    if (files.has(fileOfProgress(name))) continue;
    ignoreMissing(() => {
      const path = cur.atOwn(name);
      if (isAlone || Date.now() - fileSystem.lstat(path).ctimeMs >= SETTLE_MS) fileSystem.unlink(path);
    });
  }
}
