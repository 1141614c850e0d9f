import fs from "node:fs";
import { type Directory, ignoreMissing } from "./directory.js";
import { errnoOf } from "./errors.js";
import { joinName } from "./file-system.js";
import { closeQuietly } from "./file-system.js";
import { isMessageFile } from "./message-name.js";
import { MESSAGE_MODE } from "./permissions.js";
import type { Spool } from "./spool.js";
import type { SubscriptionRecord } from "./subscription-record.js";

/**
 * An inbox cannot be listed, so nobody could tell that it is full. Beside its `new/` therefore stands `tally/`, listable,
 * with one empty entry per waiting message. Entries are links to an empty file of the sender, and their names lead nobody
 * to the message.
 */
export const TALLY = "tally";

export function hasTally(
  spool: Pick<Spool, "kind">,
  target: { readonly record: Pick<SubscriptionRecord, "kind"> },
): boolean {
  return target.record.kind === "inbox" && spool.kind === "group";
}

/** The tally's entry for a message file. */
function tallyName(fileName: string): string {
  const { createHash } = process.getBuiltinModule("node:crypto");
  return createHash("sha256").update(fileName).digest("hex").slice(0, 32);
}

/** Whether a name in a tally counts. What cannot be removed from it gets another one. */
export function isTallyEntry(name: string): boolean {
  return /^[0-9a-f]{32}$/.test(name);
}

/** Counts a message that is about to be linked. Best effort: a message that is not counted is still delivered. */
export function addToTally(spool: Spool, tally: Directory, fileName: string): void {
  const { fileSystem, outboxDir } = spool;
  const blankPath = `${outboxDir}/tally`;
  const entry = tally.atOwn(tallyName(fileName));
  try {
    fileSystem.link(blankPath, entry);
  } catch (error) {
    // ENOENT: the first one. EMLINK: the blank has as many links as its filesystem allows (65,000 on ext4).
    if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "EMLINK") return;
    makeBlank(spool, blankPath);
    fileSystem.link(blankPath, entry);
  }
}

/** The receiver's side, when it takes the message out of `new/`. */
export function removeFromTally(spool: Spool, tallyDir: string, fileName: string): void {
  ignoreMissing(() => spool.fileSystem.unlink(`${tallyDir}/${tallyName(fileName)}`));
}

/** Removes entries whose messages are gone: a crash, or a sender that counted and did not deliver. */
export function sweepTally(spool: Spool, tallyDir: string, waiting: readonly string[]): void {
  const expected = new Set(waiting.filter(isMessageFile).map(tallyName));
  for (const name of spool.fileSystem.readdir(tallyDir)) {
    if (!expected.has(name) && !name.startsWith(".stray-")) removeEntry(spool, tallyDir, name);
  }
}

/** A directory that somebody planted is renamed in its place: it can be neither counted then nor, if it is filled, removed. */
function removeEntry({ fileSystem, names }: Spool, tallyDir: string, name: string): void {
  const path = joinName(tallyDir, name);
  try {
    fileSystem.unlink(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT")
      ignoreFailure(() => fileSystem.rename(path, `${tallyDir}/.stray-${names.random(16)}`));
  }
}

/** Until the next time. */
function ignoreFailure(action: () => void): void {
  try {
    action();
  } catch {
    return;
  }
}

function makeBlank({ fileSystem, names, outboxDir }: Spool, blankPath: string): void {
  const path = `${outboxDir}/.${process.pid}-${names.random(16)}.draft`;
  const fd = fileSystem.open(path, fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_WRONLY, MESSAGE_MODE);
  try {
    try {
      fileSystem.fchmod(fd, MESSAGE_MODE);
    } finally {
      closeQuietly(fileSystem, fd);
    }
    fileSystem.rename(path, blankPath);
  } catch (error) {
    ignoreMissing(() => fileSystem.unlink(path));
    throw error;
  }
}
