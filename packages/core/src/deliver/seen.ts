import fs from "node:fs";
import { ignoreMissing, type Directory } from "../directory.js";
import { errnoOf } from "../errors.js";
import { writeAll } from "../file-system.js";
import { PRIVATE_FILE_MODE } from "../permissions.js";
import { writeOwnFile } from "../private-file.js";
import type { Spool } from "../spool.js";

/** Ids remembered of one sender, in each of two generations: a neighbour who sends a lot must not make another's forgotten. */
const GENERATION = 10_000;
/** Lines after which the journal is written anew, without what has been forgotten. */
const MAX_JOURNAL_LINES = 20_000;
/** Ids may be lost in a crash for this long, in milliseconds; they would only matter for a repeat of the same id. */
const WRITE_AFTER_MS = 200;

const JOURNAL = "seen";
const OLD_JOURNAL = "seen.old";

/** How far the journal has been read. */
interface Journal {
  readonly ino: number;
  readonly bytes: number;
  readonly lines: number;
}

const NO_JOURNAL: Journal = Object.freeze({ ino: -1, bytes: 0, lines: 0 });

const { O_RDONLY, O_CREAT, O_WRONLY, O_APPEND, O_NOFOLLOW } = fs.constants;

/**
 * The ids that a subscription has delivered lately, so that a publisher can repeat one without doubles and nobody can play one
 * again. An id is the sender's own: two accounts may use the same. Of each sender the last 10,000 to 20,000 are known.
 *
 * A durable subscription appends them to its journal, `seen`; what the journal held before it grew too long is in `seen.old`.
 * Processes that share a subscription read each other's lines.
 */
export class SeenIds {
  readonly #spool: Spool;
  /** The subscription's, pinned: another may have its name by now. undefined: in memory only. */
  readonly #directory: Directory | undefined;
  readonly #isShared: boolean;
  readonly #senders = new Map<number, Generations>();
  /** Neighbours of the same sender together. */
  #unwritten: { readonly uid: number; readonly ids: string[] }[] = [];
  #journal = NO_JOURNAL;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param directory where the journal is; undefined: in memory only
   * @param isShared whether other processes use the same journal at the same time
   */
  constructor(spool: Spool, directory: Directory | undefined, isShared: boolean) {
    this.#spool = spool;
    this.#directory = directory;
    this.#isShared = isShared;
    if (directory !== undefined) this.#catchUp(directory);
  }

  has(uid: number, id: string): boolean {
    if (this.#isShared && this.#directory !== undefined) this.#catchUp(this.#directory);
    return this.#senders.get(uid)?.has(id) ?? false;
  }

  /** Whether an id comes after all that were ever added of its sender, so it is none of these; ULIDs usually do. */
  isLatest(uid: number, id: string): boolean {
    if (this.#isShared && this.#directory !== undefined) this.#catchUp(this.#directory);
    return this.#senders.get(uid)?.isLatest(id) ?? true;
  }

  add(uid: number, id: string): void {
    this.#remember(uid, id);
    if (this.#directory === undefined) return;
    const last = this.#unwritten.at(-1);
    if (last?.uid === uid) last.ids.push(id);
    else this.#unwritten.push({ uid, ids: [id] });
    if (this.#isShared) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), WRITE_AFTER_MS).unref();
  }

  /** Writes what has not been written. Losing it costs nothing but the memory, so a failure is not reported. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const directory = this.#directory;
    if (directory === undefined || this.#unwritten.length === 0) return;
    const unwritten = this.#unwritten.splice(0);
    const lines = unwritten.reduce((sum, { ids }) => sum + ids.length, 0);
    const text = unwritten.map(({ uid, ids }) => linesOf(uid, ids)).join("");
    const { fileSystem } = this.#spool;
    try {
      const fd = fileSystem.open(
        directory.atOwn(JOURNAL),
        O_CREAT | O_WRONLY | O_APPEND | O_NOFOLLOW,
        PRIVATE_FILE_MODE,
      );
      try {
        writeAll(fileSystem, fd, Buffer.from(text));
      } finally {
        fileSystem.close(fd);
      }
      if (this.#isShared) this.#catchUp(directory);
      else this.#journal = { ...this.#journal, lines: this.#journal.lines + lines };
      if (this.#journal.lines > MAX_JOURNAL_LINES) this.#compact(directory);
    } catch {
      return;
    }
  }

  #remember(uid: number, id: string): void {
    let generations = this.#senders.get(uid);
    if (generations === undefined) this.#senders.set(uid, (generations = new Generations()));
    generations.add(id);
  }

  /** A crash between its two steps leaves lines twice, which is harmless. */
  #compact(directory: Directory): void {
    const { fileSystem } = this.#spool;
    const text = [...this.#senders].map(([uid, generations]) => linesOf(uid, generations.ids())).join("");
    writeOwnFile(this.#spool, directory, OLD_JOURNAL, text, PRIVATE_FILE_MODE);
    ignoreMissing(() => fileSystem.unlink(directory.atOwn(JOURNAL)));
    this.#journal = NO_JOURNAL;
  }

  /** Reads what has been appended since, by whichever process. */
  #catchUp(directory: Directory): void {
    const before = this.#journal;
    try {
      const path = directory.atOwn(JOURNAL);
      const { ino, size } = this.#inodeOf(path);
      if (ino === before.ino && size === before.bytes) return;
      // The first look, or another process has written the journal anew: what it held before is in seen.old.
      if (ino !== before.ino) this.#read(directory.atOwn(OLD_JOURNAL), 0);
      const from = ino === before.ino ? before.bytes : 0;
      const { bytes, lines } = this.#read(path, from);
      this.#journal = { ino, bytes: from + bytes, lines: (from === 0 ? 0 : before.lines) + lines };
    } catch (error) {
      // Unreadable: start over rather than not at all.
      if (errnoOf(error) === undefined) throw error;
    }
  }

  #inodeOf(path: string): { ino: number; size: number } {
    try {
      return this.#spool.fileSystem.lstat(path);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return { ino: 0, size: -1 };
      throw error;
    }
  }

  /** Whole lines only: the last one may be half written. */
  #read(path: string, from: number): { bytes: number; lines: number } {
    const { fileSystem } = this.#spool;
    let fd: number;
    try {
      fd = fileSystem.open(path, O_RDONLY | O_NOFOLLOW);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return { bytes: 0, lines: 0 };
      throw error;
    }
    try {
      const buffer = Buffer.allocUnsafe(Math.max(0, fileSystem.fstat(fd).size - from));
      let length = 0;
      while (length < buffer.length) {
        const bytes = fileSystem.read(fd, buffer, length, buffer.length - length, from + length);
        if (bytes === 0) break;
        length += bytes;
      }
      const text = buffer.toString("latin1", 0, buffer.subarray(0, length).lastIndexOf(10) + 1);
      const lines = text.split("\n").filter((line) => line !== "");
      for (const line of lines) {
        const space = line.indexOf(" ");
        this.#remember(Number(line.slice(0, space)), line.slice(space + 1));
      }
      return { bytes: text.length, lines: lines.length };
    } finally {
      fileSystem.close(fd);
    }
  }
}

function linesOf(uid: number, ids: readonly string[]): string {
  return ids.length === 0 ? "" : `${uid} ${ids.join(`\n${uid} `)}\n`;
}

/** The ids of one sender: when as many new ones have come, the oldest are forgotten. */
class Generations {
  #current = new Generation();
  #previous = new Generation();
  /** Of all that were ever added. */
  #highest = "";

  isLatest(id: string): boolean {
    return id > this.#highest;
  }

  has(id: string): boolean {
    return this.#current.has(id) || this.#previous.has(id);
  }

  add(id: string): void {
    if (id > this.#highest) this.#highest = id;
    this.#current.ids.push(id);
    if (this.#current.ids.length < GENERATION) return;
    this.#previous = this.#current;
    this.#current = new Generation();
  }

  /** The oldest first. */
  ids(): string[] {
    return [...this.#previous.ids, ...this.#current.ids];
  }
}

/** Ids in the order in which they came. They are indexed when somebody asks: while each is the latest, nobody does. */
class Generation {
  readonly ids: string[] = [];
  readonly #index = new Set<string>();
  #indexed = 0;

  has(id: string): boolean {
    for (; this.#indexed < this.ids.length; this.#indexed++) this.#index.add(this.ids[this.#indexed] as string);
    return this.#index.has(id);
  }
}
