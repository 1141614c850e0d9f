import { senderOf, type Sender } from "../deliver/judge.js";
import { isUnfit, loadFile } from "../deliver/load.js";
import { BusError, errnoOf, fromErrno } from "../errors.js";
import { ignoreMissing } from "../directory.js";
import { validatePrivateRecord } from "../generated/validators.js";
import { PRIVATE_FILE_MODE } from "../permissions.js";
import { writeOwnFile } from "../private-file.js";
import { readSmallFile } from "../bounded-read.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";
import {
  AT_ONCE_DUE_MS,
  ownFile,
  parseCurName,
  parseRetryName,
  retryName,
  SUSPECT_DUE_MS,
  type CurName,
} from "./claim-names.js";
import { parseProgress, PROGRESS_SUFFIX } from "./claim.js";
import { DeadLetters, type DeadLetterRecord } from "./dead-letters.js";

export interface Recovery {
  readonly recovered: number;
  readonly left: number;
}

const MAX_PROGRESS_BYTES = 128 * 1024;

/**
 * Returns the claims of consumers that died: what was in work is due at once, in its old place in the order, with the attempt counted.
 *
 * Every step can be repeated: a crash in the middle leaves the claim for the next recovery. Where several consumers recover at
 * once, the one whose rename comes second finds nothing, which is fine.
 * A claim that cannot be brought back stays, and stands in nobody's way: its sender holds a lease on the file (fcntl(2), F_SETLEASE),
 * or a member of a queue put it there.
 * @param isDead whether the consumer that a claim names is gone
 * @returns how many claims came back, and how many could not
 */
export async function recoverClaims(
  spool: Spool,
  directories: SubscriptionDirectories,
  isDead: (claim: CurName) => boolean,
): Promise<Recovery> {
  const { cur, retry } = directories;
  const names = spool.fileSystem.readdir(cur.base);
  const progress = new Set(names.filter((name) => name.endsWith(PROGRESS_SUFFIX)));
  let recovered = 0;
  let left = 0;
  for (const name of names) {
    const claim = parseCurName(name);
    if (claim === undefined || !isDead(claim)) continue;
    try {
      // A file in a queue holds one envelope, so notes on several are none of ours.
      if (progress.has(name + PROGRESS_SUFFIX) && directories.record.kind !== "queue")
        await splitClaim(spool, directories, name, claim);
      const target = retryName({ dueMs: SUSPECT_DUE_MS, attempts: claim.attempt, file: claim.file });
      ignoreMissing(() => spool.fileSystem.rename(cur.atOwn(name), retry.atOwn(target)));
      recovered++;
    } catch (error) {
      if (!STAYS.has(errnoOf(error) ?? "")) throw fromErrno(error, "bring back an unfinished message in", cur.path);
      left++;
    }
  }
  removeOrphans(spool, directories, names);
  return { recovered, left };
}

const STAYS = new Set(["EAGAIN", "EACCES", "EPERM", "EISDIR", "ENOTEMPTY"]);

/** Gives every unsettled envelope of a file of several a record of its own, and removes the file. */
async function splitClaim(
  spool: Spool,
  directories: SubscriptionDirectories,
  name: string,
  claim: CurName,
): Promise<void> {
  const { cur, retry } = directories;
  const loaded = await loadFile(spool, cur.atOwn(name));
  if (isUnfit(loaded)) return;
  const { begun, settled } = parseProgress(readProgress(spool, cur.atOwn(name + PROGRESS_SUFFIX)));
  const there = new Set(spool.fileSystem.readdir(retry.base).map((other) => parseRetryName(other)?.file));
  const sender = await senderOf(spool, loaded.uid);
  if (sender === undefined)
    throw new BusError(
      "ERR_ACCOUNT",
      `cannot tell whose ${cur.path}/${name} is: the account database does not answer`,
      {
        path: cur.path,
        fix: `getent passwd ${loaded.uid}`,
      },
    );
  const letters = new DeadLetters(spool, directories);
  for (const { index, value, raw } of loaded.envelopes) {
    const file = ownFile(claim.file, index);
    if (settled.has(index) || there.has(file)) continue;
    const record = { sender, envelope: value };
    if (!validatePrivateRecord(record)) {
      if (letters.hasRoomForRefused())
        letters.bury(DeadLetters.letterOf(file), noEnvelope(claim.file, raw, sender), raw);
      continue;
    }
    const isSuspect = begun.has(index);
    const dueMs = isSuspect ? SUSPECT_DUE_MS : AT_ONCE_DUE_MS;
    const attempts = isSuspect ? claim.attempt : claim.attempt - 1;
    const text = `${JSON.stringify(record)}\n`;
    writeOwnFile(spool, retry, retryName({ dueMs, attempts, file }), text, PRIVATE_FILE_MODE);
  }
  ignoreMissing(() => spool.fileSystem.unlink(cur.atOwn(name)));
  ignoreMissing(() => spool.fileSystem.unlink(cur.atOwn(name + PROGRESS_SUFFIX)));
}

function noEnvelope(file: string, raw: string, sender: Sender): Omit<DeadLetterRecord, "layout" | "at"> {
  const why = { reason: "invalid-envelope", detail: "a line of its file is not an envelope" } as const;
  return { ...why, attempts: 0, id: null, topic: null, sender, file, bytes: Buffer.byteLength(raw) };
}

function readProgress(spool: Spool, path: string): string {
  try {
    return readSmallFile(spool.fileSystem, path, MAX_PROGRESS_BYTES).bytes.toString("latin1");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return "";
    throw error;
  }
}

/** Progress files whose claim is gone: their consumer died between the two removals. */
function removeOrphans(spool: Spool, { cur }: SubscriptionDirectories, names: readonly string[]): void {
  const claims = new Set(names);
  for (const name of names) {
    const claim = name.slice(0, -PROGRESS_SUFFIX.length);
    if (!name.endsWith(PROGRESS_SUFFIX) || claims.has(claim) || parseCurName(claim) === undefined) continue;
    try {
      ignoreMissing(() => spool.fileSystem.unlink(cur.atOwn(name)));
    } catch (error) {
      if (!STAYS.has(errnoOf(error) ?? "")) throw error;
    }
  }
}
