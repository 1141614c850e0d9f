import { Directory } from "../directory.js";
import { errnoOf } from "../errors.js";
import { isAlive, type Presence } from "../presence.js";
import type { Spool } from "../spool.js";
import { labelOf, type SubscriptionRecord } from "../subscription-record.js";
import { hasTally } from "../tally.js";
import { compilePatterns } from "../topics.js";
import type { PinBoard } from "./pin-board.js";

/** How long a publisher believes that an ephemeral subscription's consumer still runs, in milliseconds. */
const ALIVE_FOR_MS = 1_000;

/** The inode of a subscription's directory, and who owns it. */
export interface TargetIdentity {
  readonly ino: number;
  readonly uid: number;
  readonly dev: number;
}

export interface TargetPlace {
  readonly parentDir: string;
  readonly directoryName: string;
  readonly pinBoard: PinBoard;
}

/** What a member needs to put something into a drop box. */
const GROUP_MAY_ADD = 0o030;
const GROUP_MAY_ENTER = 0o010;

/** A subscription as a publisher sees it: what it matches, and where its drop box is. */
export class Target {
  readonly label: string;
  readonly matches: (topic: string) => boolean;
  readonly #spool: Spool;
  readonly #place: TargetPlace;
  #dropBox: Directory | undefined;
  #aliveUntil = 0;

  constructor(
    spool: Spool,
    readonly record: SubscriptionRecord,
    readonly identity: TargetIdentity,
    place: TargetPlace,
    private readonly heartbeatAgeMs: (presence: Presence) => number | undefined,
  ) {
    this.#spool = spool;
    this.#place = place;
    this.label = labelOf(record);
    this.matches = compilePatterns(record.patterns);
  }

  /** False once the process of an ephemeral subscription is gone. Asked at most once a second. */
  isListening(): boolean {
    const { consumer } = this.record;
    if (consumer === undefined) return true;
    const now = performance.now();
    if (now < this.#aliveUntil) return true;
    if (!isAlive(consumer, () => this.heartbeatAgeMs(consumer))) return false;
    this.#aliveUntil = now + ALIVE_FOR_MS;
    return true;
  }

  /**
   * The drop box, pinned: its owner may put a link in its place at any time, and would then choose where our files go.
   * @throws the system's error; ENOENT when the subscription is gone
   */
  dropBox(): Directory {
    this.#dropBox ??= this.#open("new");
    this.#place.pinBoard.use(this);
    return this.#dropBox;
  }

  /** Whether its owner has set modes that let no member put anything in. */
  isShut(): boolean {
    const { fileSystem, gid } = this.#spool;
    try {
      const { mode } = fileSystem.lstat(`${this.#place.parentDir}/${this.#place.directoryName}`);
      if ((mode & GROUP_MAY_ENTER) === 0) return true;
      const box = fileSystem.stat(this.dropBox().base);
      return box.gid !== gid || (box.mode & GROUP_MAY_ADD) !== GROUP_MAY_ADD;
    } catch (error) {
      return isGone(error);
    }
  }

  /** Whether publishers may append to what they have put into its drop box. Where files are counted they may not. */
  get takesStreams(): boolean {
    const { streams, kind, maxBacklog } = this.record;
    return streams === true && kind !== "queue" && maxBacklog === undefined && !hasTally(this.#spool, this);
  }

  /** Whether there is an entry of this name in its drop box. @throws the system's error */
  holds(name: string): boolean {
    return this.#spool.fileSystem.hasEntry(this.dropBox().atOwn(name));
  }

  /** Opens another directory of the subscription, walking from its parent without following links. */
  openDirectory(name: string): Directory {
    return this.#open(name);
  }

  /** Lets go of the pinned drop box, so that the next use finds the one that stands there now. */
  unpin(): void {
    this.#dropBox?.close();
    this.#dropBox = undefined;
    this.#place.pinBoard.forget(this);
  }

  #open(name: string): Directory {
    const { fileSystem } = this.#spool;
    const parent = Directory.open(fileSystem, this.#place.parentDir, this.#place.directoryName);
    try {
      if (parent.uid !== this.identity.uid) throw missing(parent.path);
      const directory = Directory.open(fileSystem, parent, name);
      // In a queue, which any member may rearrange, the parts have no owner that could be checked; its device still tells a mount.
      const isForeign = this.record.kind !== "queue" && directory.uid !== this.identity.uid;
      if (!isForeign && directory.dev === this.identity.dev) return directory;
      directory.close();
      throw missing(directory.path);
    } finally {
      parent.close();
    }
  }
}

/** A drop box that is not its subscriber's own counts as none. */
function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: ${path} does not belong to its subscription`), { code: "ENOENT" });
}

export function isGone(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === "ENOENT" || errno === "ENOTDIR" || errno === "ELOOP";
}
