import { errnoOf } from "../errors.js";
import type { Path } from "../file-system.js";
import type { DeadLetters } from "../settle/dead-letters.js";
import type { Spool } from "../spool.js";
import type { SubscriptionDirectories } from "../subscription-directories.js";
import type { UnfitLoad } from "./load.js";
import { printable, type Refusal } from "./refusal.js";

interface Unfit {
  readonly path: Path;
  /** The name that its letter gets in `dead/`. */
  readonly letter: string;
  /** Its own name, which may be anything. */
  readonly name: string;
}

/**
 * Moves a file that cannot be read as messages out of the way, with its reason. A regular file is kept beside it, unread; a FIFO, a
 * link or a socket holds nothing and is removed.
 */
export function buryUnfit(
  spool: Spool,
  directories: SubscriptionDirectories,
  letters: DeadLetters,
  { path, letter, name }: Unfit,
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
    else remove(spool, path);
  } else remove(spool, path);
  return { reason, detail, sender, file: printable(name), subscription: directories.label };
}

/**
 * Clears an entry of `new/` that is no message file away. A directory that its owner filled can be neither removed nor
 * moved elsewhere; it is renamed in its place, so that later looks pass it over, and root removes it.
 */
export function clearStray(
  spool: Spool,
  directories: SubscriptionDirectories,
  letters: DeadLetters,
  name: string,
  report: (refusal: Refusal) => void,
): void {
  const { fileSystem, names } = spool;
  const path = directories.new.at(name);
  const letter = `stray-${names.random(16)}`;
  try {
    const stat = fileSystem.lstat(path);
    const facts = { uid: stat.uid, bytes: stat.size, isRegular: stat.isFile() };
    if (!stat.isDirectory()) {
      const load: UnfitLoad = {
        ...facts,
        reason: "bad-name",
        detail: "its name is not <priority>-<ulid>-<random>.json",
      };
      return report(buryUnfit(spool, directories, letters, { path, letter, name }, load));
    }
    const aside = directories.new.atOwn(`.${letter}`);
    fileSystem.rename(path, aside);
    report(
      buryUnfit(
        spool,
        directories,
        letters,
        { path: aside, letter, name },
        { ...facts, reason: "not-a-file", detail: "it is a directory" },
      ),
    );
  } catch (error) {
    // Its owner took it back, or the kernel keeps it here; either way there is nothing to deliver.
    if (!["ENOENT", "EACCES", "EPERM", "ENOTEMPTY"].includes(errnoOf(error) ?? "")) throw error;
  }
}

function remove({ fileSystem }: Spool, path: Path): void {
  try {
    fileSystem.unlink(path);
  } catch (error) {
    if (errnoOf(error) === "EISDIR" || errnoOf(error) === "EPERM") fileSystem.rmdir(path);
    else if (errnoOf(error) !== "ENOENT") throw error;
  }
}
