import type { Directory } from "../directory.js";
import { errnoOf } from "../errors.js";
import type { FileSystem, Path } from "../file-system.js";
import type { DeadLetters } from "../settle/dead-letters.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";
import type { UnfitLoad } from "./load.js";
import { printable, type Refusal } from "./refusal.js";

interface Unfit {
  readonly path: Path;
  /** A hidden name beside it, for what cannot be removed. */
  readonly aside: Path;
  /** The name that its letter gets in `dead/`. */
  readonly letter: string;
  /** Its own name, which may be anything. */
  readonly name: string;
}

/**
 * Moves a file that cannot be read as messages out of the way, with its reason. A regular file is kept beside it, unread; a FIFO, a
 * link or a socket holds nothing and is removed. A directory that its owner filled can be neither removed nor, mostly, moved
 * elsewhere: it is renamed in its place, so that later looks pass it over, and root removes it.
 */
export function buryUnfit(
  spool: Spool,
  directories: SubscriptionDirectories,
  letters: DeadLetters,
  { path, aside, letter, name }: Unfit,
  { reason, detail, uid, bytes, isRegular }: UnfitLoad,
): Refusal {
  const sender = uid === undefined ? undefined : { uid, user: spool.accounts.userOf(uid) };
  if (letters.hasRoomForRefused()) {
    letters.bury(
      letter,
      {
        ...{ reason, detail, attempts: 0, id: null, topic: null, file: printable(name), bytes: bytes ?? null },
        sender: sender === undefined ? null : { uid: sender.uid, user: sender.user ?? null },
      },
      undefined,
    );
    if (isRegular) spool.fileSystem.rename(path, directories.dead.atOwn(`${letter}.link`));
    else remove(spool, path, aside);
  } else remove(spool, path, aside);
  return { reason, detail, sender, file: printable(name), subscription: directories.label };
}

/** Clears an entry away that is no message file. @param where `new/`; or `retry/`, where only a member of a queue can have put it */
export function clearStray(
  spool: Spool,
  directories: SubscriptionDirectories,
  letters: DeadLetters,
  where: Directory,
  name: string,
  report: (refusal: Refusal) => void,
): void {
  const { fileSystem, names } = spool;
  const path = where.at(name);
  const letter = `stray-${names.random(16)}`;
  const aside = where.atOwn(`.${letter}`);
  try {
    const stat = fileSystem.lstat(path);
    const facts = { uid: stat.uid, bytes: stat.size, isRegular: stat.isFile() };
    const why = stat.isDirectory()
      ? ({ reason: "not-a-file", detail: "it is a directory" } as const)
      : ({ reason: "bad-name", detail: "its name is not <priority>-<ulid>-<random>.json" } as const);
    report(buryUnfit(spool, directories, letters, { path, aside, letter, name }, { ...facts, ...why }));
  } catch (error) {
    // Its owner took it back, or put something else in its place: the next look tells.
    if (!["ENOENT", "EACCES", "EPERM"].includes(errnoOf(error) ?? "")) throw error;
  }
}

function remove({ fileSystem }: Spool, path: Path, aside: Path): void {
  try {
    fileSystem.unlink(path);
  } catch (error) {
    if (errnoOf(error) === "EISDIR" || errnoOf(error) === "EPERM") removeDirectory(fileSystem, path, aside);
    else if (errnoOf(error) !== "ENOENT") throw error;
  }
}

function removeDirectory(fileSystem: FileSystem, path: Path, aside: Path): void {
  try {
    fileSystem.rmdir(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    fileSystem.rename(path, aside);
  }
}
