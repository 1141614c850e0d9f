import fs from "node:fs";
import type { ChannelHost, ChannelRefusal, Sender } from "@agentbus/core";

const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = fs.constants;
const OTHERS_MAY_WRITE = 0o022;
/** 22 characters of base64url, or 26 of base32, are as many as 128 random bits take. */
const NAME = /^[A-Za-z0-9_-]{22,64}\.pipe$/;
/** As old as that, a FIFO without a writer is what a dead sender left, in milliseconds. */
const ABANDONED_MS = 10_000;
/** Entries that could not be removed and need not be looked at again. */
const MAX_KNOWN = 10_000;

/** A FIFO that is open for reading, and the account that it belongs to. */
export interface OpenedFifo {
  readonly fd: number;
  readonly sender: Sender;
}

/**
 * `pipes/<user>/` of this account, where anybody of the group may put anything. A FIFO is opened without following, creating or waiting
 * for anything, and judged by its descriptor; whatever else lies there is refused, and removed as far as that goes.
 */
export class DropBox {
  readonly path: string;
  readonly #host: ChannelHost;
  readonly #onRefused: (refusal: ChannelRefusal) => void;
  readonly #known = new Set<string>();

  /** @throws BusError ERR_SQUATTED, ERR_ACCESS */
  constructor(host: ChannelHost, onRefused: (refusal: ChannelRefusal) => void) {
    this.#host = host;
    this.#onRefused = onRefused;
    this.path = host.ensureOwnDirectory("pipes");
  }

  /** The names of the entries, some at a time: a neighbour may have put in a million. In latin1. */
  names(): Iterable<string[]> {
    return this.#host.fileSystem.readdirInPortions(this.path);
  }

  /**
   * Opens a FIFO for reading, which never waits for a writer.
   * @param mayOpen asked for its owner, before it is opened
   * @returns undefined when it is not to be read, or not now
   */
  open(name: string, mayOpen: (uid: number) => boolean): OpenedFifo | Promise<OpenedFifo | undefined> | undefined {
    if (this.#known.has(name)) return undefined;
    let fd: number;
    try {
      // Events tell of what is gone, too.
      const stat = this.#host.fileSystem.lstat(this.#at(name));
      if (!NAME.test(name)) return this.#refuse(name, "bad-name", `${printable(name)} is no name of a pipe`, stat.uid);
      if (!stat.isFIFO()) return this.#refuse(name, "not-a-file", `${name} is no pipe`, stat.uid);
      if (!mayOpen(stat.uid)) return undefined;
      fd = this.#host.fileSystem.open(this.#at(name), O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    } catch (error) {
      return this.#cannotOpen(name, error);
    }
    return this.#judge(name, fd);
  }

  /** A FIFO is in use: nobody else is to open it, and its sender shall know. */
  remove(name: string): void {
    try {
      this.#host.fileSystem.unlink(this.#at(name));
    } catch {
      // Its sender took it back.
    }
  }

  /** Whether a FIFO without a writer has been there for so long that its sender is dead. */
  isAbandoned(name: string): boolean {
    try {
      return Date.now() - this.#host.fileSystem.lstat(this.#at(name)).ctimeMs >= ABANDONED_MS;
    } catch {
      return false;
    }
  }

  #judge(name: string, fd: number): OpenedFifo | Promise<OpenedFifo | undefined> | undefined {
    const stat = this.#host.fileSystem.fstat(fd);
    const { kind, gid } = this.#host.spool;
    const why = !stat.isFIFO()
      ? `${name} is no pipe`
      : (stat.mode & OTHERS_MAY_WRITE) !== 0
        ? `its mode ${(stat.mode & 0o7777).toString(8)} lets others than its owner write to it`
        : kind === "group" && stat.gid !== gid
          ? `its group is ${stat.gid}, not ${gid}`
          : undefined;
    if (why !== undefined) {
      this.#close(fd);
      return this.#refuse(name, stat.isFIFO() ? "forged-source" : "not-a-file", why, stat.uid);
    }
    const sender = this.#host.senderOf(stat.uid);
    if (!(sender instanceof Promise)) return this.#opened(name, fd, sender);
    return sender.then(
      (known) => this.#opened(name, fd, known),
      () => this.#opened(name, fd, undefined),
    );
  }

  /** Where the account database does not answer, nobody may be given a name; the next look asks again. */
  #opened(name: string, fd: number, sender: Sender | undefined): OpenedFifo | undefined {
    const isBarred = sender !== undefined && this.#isBarred(sender);
    if (sender !== undefined && !isBarred) return { fd, sender };
    this.#close(fd);
    if (!isBarred) return undefined;
    return this.#refuse(name, "not-allowed", `${sender.user} may use no pipes in this spool`, sender.uid);
  }

  /** Who cannot be told allowed is not. */
  #isBarred({ user }: Sender): boolean {
    try {
      return this.#host.isBarred("pipes", user);
    } catch {
      return true;
    }
  }

  #cannotOpen(name: string, error: unknown): undefined {
    const { code } = error as NodeJS.ErrnoException;
    // Its mode may be mended yet, a descriptor become free; the next look tries again.
    if (code === "ENOENT" || code === "EACCES" || code === "EMFILE" || code === "ENFILE") return undefined;
    return this.#refuse(name, "unreadable", `${name}: ${code ?? "it cannot be opened"}`);
  }

  #refuse(name: string, reason: ChannelRefusal["reason"], detail: string, uid?: number): undefined {
    const user = uid === undefined ? undefined : this.#host.senderOf(uid);
    const sender = user instanceof Promise ? undefined : user;
    this.#onRefused({ reason, detail, sender });
    try {
      this.#host.fileSystem.unlink(this.#at(name));
    } catch {
      this.#removeDirectory(name);
    }
    return undefined;
  }

  /** One that is not empty stays, and is passed over from now on. */
  #removeDirectory(name: string): void {
    try {
      this.#host.fileSystem.rmdir(this.#at(name));
    } catch {
      if (this.#known.size < MAX_KNOWN) this.#known.add(name);
    }
  }

  #close(fd: number): void {
    this.#host.fileSystem.close(fd);
  }

  /** As bytes where the name is not plain ASCII: it was decoded as latin1. */
  #at(name: string): string | Buffer {
    const isAscii = /^[ -~]*$/.test(name);
    return isAscii
      ? `${this.path}/${name}`
      : Buffer.concat([Buffer.from(`${this.path}/`), Buffer.from(name, "latin1")]);
  }
}

function printable(name: string): string {
  return JSON.stringify(name.slice(0, 80)).replaceAll(/[^ -~]/g, "?");
}
