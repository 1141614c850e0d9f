import fs from "node:fs";
import type { Accounts } from "./accounts.js";
import { ignoreMissing } from "./directory.js";
import { errnoOf } from "./errors.js";
import { closeQuietly, type FileSystem } from "./file-system.js";
import { makeDirectory } from "./make-directory.js";
import { INBOX_MODE, isShutDropBox, PRIVATE_MODE } from "./permissions.js";
import { inTheWay } from "./spool-plan.js";

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
/** Of an account that goes on exchanging its drop box while root takes it. */
const TRIES = 100;

export interface PipesOfSpool {
  /** Of the spool. */
  readonly path: string;
  readonly gid: number | undefined;
  readonly fileSystem: FileSystem;
  readonly accounts: Accounts;
  /** Accounts that may use no pipes. */
  readonly barred: readonly string[];
  /** What was changed, one sentence each. */
  readonly changes: string[];
}

/**
 * Sees to it that nobody can put a pipe where a barred account would look for it: `pipes/<user>` is root's, and shut. `pipes/` is sticky, so the
 * account can neither remove it nor make another. What is no longer barred is given back.
 */
export async function bringBarredPipes(spool: PipesOfSpool): Promise<void> {
  const { path, gid, fileSystem, accounts, barred } = spool;
  if (gid === undefined) return;
  for (const user of barred) shut(spool, `${path}/pipes/${user}`, gid);
  for (const name of fileSystem.readdir(`${path}/pipes`)) {
    const dir = `${path}/pipes/${name}`;
    if (barred.includes(name) || !isShutDropBox(fileSystem.lstat(dir))) continue;
    giveBack(spool, dir, await accounts.findUid(name), gid);
  }
}

/** Until it is root's, its account may put anything in its place: so only the descriptor is changed, and then it is looked at by name. */
function shut({ fileSystem, changes }: PipesOfSpool, dir: string, gid: number): void {
  for (let tries = 1; tries <= TRIES; tries++) {
    try {
      makeDirectory(fileSystem, dir, PRIVATE_MODE);
      changes.push(`${dir} was missing`);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
    let fd: number;
    try {
      fd = fileSystem.open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK);
    } catch (error) {
      // No directory, or a link: its account's, in the sticky directory of root's, where unlink(2) follows nothing.
      if (!["ENOTDIR", "ELOOP", "ENOENT", "EMLINK"].includes(errnoOf(error) ?? "")) throw error;
      removeQuietly(fileSystem, dir);
      continue;
    }
    try {
      const stat = fileSystem.fstat(fd);
      fileSystem.fchown(fd, 0, gid);
      fileSystem.fchmod(fd, PRIVATE_MODE);
      const { ino, dev } = fileSystem.lstat(dir);
      if (ino !== stat.ino || dev !== stat.dev) continue;
      if (!isShutDropBox(stat)) changes.push(`${dir} was its account's, and is root's alone now`);
      return;
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    } finally {
      closeQuietly(fileSystem, fd);
    }
  }
  throw inTheWay(dir, "its account exchanges it again and again; stop its processes first");
}

/** With what is in it: pipes of senders that wait, or have gone. Nobody else can exchange it before it is its account's again. */
function giveBack({ fileSystem, changes }: PipesOfSpool, dir: string, uid: number | undefined, gid: number): void {
  if (uid === undefined) return removeQuietly(fileSystem, dir);
  if (uid === 0) return;
  const fd = fileSystem.open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    fileSystem.fchown(fd, uid, gid);
    fileSystem.fchmod(fd, INBOX_MODE);
  } finally {
    closeQuietly(fileSystem, fd);
  }
  changes.push(`${dir} was shut, and is its account's again`);
}

/** A directory that is not empty stays, and the doctor names it. */
function removeQuietly(fileSystem: FileSystem, path: string): void {
  try {
    fileSystem.rmdir(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOTDIR") return;
    ignoreMissing(() => fileSystem.unlink(path));
  }
}
