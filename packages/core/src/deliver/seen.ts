import fs from "node:fs";
import { readSmallFile } from "../bounded-read.js";
import { errnoOf } from "../errors.js";
import { writeAll } from "../file-system.js";
import { PRIVATE_FILE_MODE } from "../permissions.js";
import type { Spool } from "../spool.js";

/** Ids remembered in each of two generations. */
const GENERATION = 20_000;
const MAX_JOURNAL_BYTES = 8 * 1024 * 1024;
/** Ids may be lost in a crash for this long, in milliseconds; they would only matter for a repeat of the same id. */
const WRITE_AFTER_MS = 200;

const { O_CREAT, O_WRONLY, O_APPEND, O_NOFOLLOW } = fs.constants;

/**
 * The ids that a subscription has delivered lately, so that a publisher can repeat one without doubles and nobody can replay one. An id
 * is the sender's own: two accounts may use the same.
 *
 * A durable subscription keeps them in `seen` and, when that is full, `seen.old`; the last 20,000 to 40,000 are known.
 */
export class SeenIds {
  readonly #spool: Spool;
  /** undefined: in memory only. */
  readonly #journalPath: string | undefined;
  #current = new Set<string>();
  #previous = new Set<string>();
  #unwritten: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(spool: Spool, journalPath: string | undefined) {
    this.#spool = spool;
    this.#journalPath = journalPath;
    if (journalPath === undefined) return;
    this.#previous = this.#load(`${journalPath}.old`);
    this.#current = this.#load(journalPath);
  }

  has(uid: number, id: string): boolean {
    const key = `${uid} ${id}`;
    return this.#current.has(key) || this.#previous.has(key);
  }

  add(uid: number, id: string): void {
    const key = `${uid} ${id}`;
    this.#current.add(key);
    if (this.#journalPath === undefined) return void this.#turnIfFull();
    this.#unwritten.push(key);
    this.#timer ??= setTimeout(() => this.flush(), WRITE_AFTER_MS).unref();
  }

  /** Writes what has not been written. Losing it costs nothing but the memory, so a failure is not reported. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const path = this.#journalPath;
    if (path === undefined || this.#unwritten.length === 0) return;
    const lines = Buffer.from(this.#unwritten.join("\n") + "\n");
    this.#unwritten = [];
    const { fileSystem } = this.#spool;
    try {
      const fd = fileSystem.open(path, O_CREAT | O_WRONLY | O_APPEND | O_NOFOLLOW, PRIVATE_FILE_MODE);
      try {
        writeAll(fileSystem, fd, lines);
      } finally {
        fileSystem.close(fd);
      }
      if (this.#turnIfFull()) fileSystem.rename(path, `${path}.old`);
    } catch {
      return;
    }
  }

  #turnIfFull(): boolean {
    if (this.#current.size < GENERATION) return false;
    this.#previous = this.#current;
    this.#current = new Set();
    return true;
  }

  #load(path: string): Set<string> {
    try {
      const { bytes } = readSmallFile(this.#spool.fileSystem, path, MAX_JOURNAL_BYTES);
      return new Set(bytes.toString("latin1").split("\n").filter(Boolean));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return new Set();
      // Unreadable or too large: start over rather than not at all.
      return new Set();
    }
  }
}
