import fs from "node:fs";
import { BusError, type ChannelHost } from "@agentbus/core";
import { NAME_LENGTH, NAME_SUFFIX } from "../capabilities.js";
import { mkfifo } from "./mkfifo.js";
import { widen } from "./pipe-capacity.js";

const { O_RDONLY, O_WRONLY, O_NONBLOCK, O_NOFOLLOW } = fs.constants;
/** What only its owner writes to, and a receiver of the group may read. */
const MODE = 0o640;
const PERMISSIONS = 0o7777;
/** Between two looks where no event comes, in milliseconds. */
const LOOK_MS = 250;

/** Two descriptors of the end that is written to: Node closes the one that it waits with when the pipe breaks. */
export interface WritingEnds {
  readonly writeFd: number;
  readonly waitFd: number;
  /** What the pipe holds, in bytes; its receiver cannot have left more than that unread. */
  readonly capacity: number;
}

interface Ends extends WritingEnds {
  readonly readFd: number;
}

type DropBox = NonNullable<ReturnType<ChannelHost["openDirectoryOf"]>>;

/**
 * A FIFO of this account that lies in a receiver's drop box until the receiver takes it up.
 *
 * It is made in this account's own `outbox/`, where nobody else can open it, judged by its descriptors, and only then renamed into the
 * drop box. The sender holds both ends meanwhile: so a receiver that opens it finds a writer, and a FIFO without one is what a dead
 * sender has left. The receiver removes it from the drop box as soon as it has it open. That the link is gone is how the sender learns that it
 * is taken up, and from then on nobody else can open it.
 */
export class OfferedFifo {
  readonly #ends: Ends;
  readonly #host: ChannelHost;
  readonly #box: DropBox;
  readonly #name: string;
  readonly #cancelAtExit: () => void;
  #isOffered = true;

  private constructor(host: ChannelHost, box: DropBox, name: string, ends: Ends) {
    this.#host = host;
    this.#box = box;
    this.#name = name;
    this.#ends = ends;
    this.#cancelAtExit = host.atExit(() => this.#removeEntry());
  }

  /**
   * Makes one and puts it into a drop box, which it closes in the end.
   * @throws BusError ERR_PLATFORM, ERR_IO, ERR_SQUATTED; the system's error when the drop box does not take it
   */
  static async make(host: ChannelHost, box: DropBox): Promise<OfferedFifo> {
    const draft = `${host.ensureOwnDirectory("outbox")}/.${process.pid}-${host.random(NAME_LENGTH)}.draft`;
    const fds: number[] = [];
    try {
      await mkfifo(draft);
      const readFd = openEnd(host, draft, O_RDONLY, fds);
      // Does not fail with ENXIO, because somebody reads: we do.
      const [writeFd, waitFd] = [openEnd(host, draft, O_WRONLY, fds), openEnd(host, draft, O_WRONLY, fds)];
      requireFit(host, draft, fds);
      const capacity = await widen(writeFd);
      const name = `${host.random(NAME_LENGTH)}${NAME_SUFFIX}`;
      host.fileSystem.rename(draft, box.atOwn(name));
      return new OfferedFifo(host, box, name, { readFd, writeFd, waitFd, capacity });
    } catch (error) {
      for (const fd of fds) host.fileSystem.close(fd);
      removeQuietly(host, draft);
      box.close();
      throw error;
    }
  }

  get isTakenUp(): boolean {
    return this.#isOffered && this.#host.fileSystem.fstat(this.#ends.writeFd).nlink === 0;
  }

  /**
   * Resolves when it is taken up, or `isOver` says so.
   * @param isOver asked at each look: whether there is no point in waiting any more
   */
  async untilTakenUp(isOver: () => boolean, signal: AbortSignal): Promise<void> {
    while (!this.isTakenUp && !isOver() && !signal.aborted) await this.#change(signal);
  }

  /** The receiver has it: from now on a write fails with EPIPE when the receiver is gone. @returns the writing ends, which are the caller's to close */
  accept(): WritingEnds {
    this.#release();
    return this.#ends;
  }

  /** Takes it back. @returns false when it was taken up at the last moment, and then it is the receiver's, with nothing in it */
  withdraw(): boolean {
    const removed = this.#removeEntry();
    this.#release();
    this.#host.fileSystem.close(this.#ends.writeFd);
    this.#host.fileSystem.close(this.#ends.waitFd);
    return removed;
  }

  #release(): void {
    this.#isOffered = false;
    this.#cancelAtExit();
    this.#box.close();
    this.#host.fileSystem.close(this.#ends.readFd);
  }

  #removeEntry(): boolean {
    return removeQuietly(this.#host, this.#box.atOwn(this.#name));
  }

  /** inotify reports the removal of a link as a change of the inode's attributes; where it does not come, the next look finds out. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      let watcher: fs.FSWatcher | undefined;
      const finish = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", finish);
        watcher?.close();
        resolve();
      };
      const timer = setTimeout(finish, LOOK_MS);
      signal.addEventListener("abort", finish);
      if (process.platform !== "linux") return;
      try {
        watcher = fs.watch(this.#box.atOwn(this.#name), { persistent: false }, finish).on("error", finish);
      } catch {
        // Taken up already, or no watch left.
      }
      if (this.isTakenUp) finish();
    });
  }
}

function openEnd(host: ChannelHost, path: string, access: number, fds: number[]): number {
  const fd = host.fileSystem.open(path, access | O_NONBLOCK | O_NOFOLLOW);
  fds.push(fd);
  return fd;
}

/** @throws BusError ERR_IO when it is not what was made, and so somebody else's */
function requireFit(host: ChannelHost, path: string, fds: readonly number[]): void {
  const { fileSystem, uid, spool } = host;
  // mkfifo(2) obeys the umask where mkfifo(1) does not mend it.
  fileSystem.fchmod(fds[0] as number, MODE);
  const [first, ...others] = fds.map((fd) => fileSystem.fstat(fd));
  const isPrivate = first !== undefined && (first.mode & PERMISSIONS) === MODE && first.nlink === 1;
  const isOurs = isPrivate && first.isFIFO() && first.uid === uid;
  const isShared = spool.kind === "personal" || first?.gid === spool.gid;
  if (isOurs && isShared && others.every(({ ino, dev }) => ino === first.ino && dev === first.dev)) return;
  throw new BusError("ERR_IO", `cannot use ${path} as a pipe: it is not what was made`, {
    path,
    fix: "agentbus doctor",
  });
}

function removeQuietly(host: ChannelHost, path: string): boolean {
  try {
    host.fileSystem.unlink(path);
    return true;
  } catch {
    return false;
  }
}
