import fs from "node:fs";
import { readBounded } from "../bounded-read.js";
import { ignoreMissing } from "../directory.js";
import { errnoOf } from "../errors.js";
import { closeQuietly, type FileSystem } from "../file-system.js";
import { isMessageFile } from "../message-name.js";
import { PRIVATE_FILE_MODE } from "../permissions.js";
import { whenReady } from "../when-ready.js";

const { O_CREAT, O_WRONLY, O_APPEND, O_NOFOLLOW } = fs.constants;
const SUFFIX = ".progress";
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * Notes on a file of several envelopes, one to a line: `s<index>`, it has begun; `u<index>`, and was put back as if it had not;
 * `d<index>`, it is settled. They stand beside the claim under the file's own name, so they are there for whoever claims it next, and
 * each is one write(2) to the page cache, which survives the death of this process.
 */
export class Progress {
  readonly #fileSystem: FileSystem;
  readonly #path: string;
  readonly #begun = new Map<number, number>();
  readonly #isSettled: boolean[] = [];
  #settled = 0;
  #fd: number | undefined;
  /** Whether there may be a file of them. */
  #exists: boolean;
  /** ASCII. What has not been written yet: to be written before anything else, so that no line is torn. */
  #owed = "";

  /** @param curDir for system calls @param file the message file's name @param isNew nobody claimed that file before */
  constructor(fileSystem: FileSystem, curDir: string, file: string, isNew = false) {
    this.#fileSystem = fileSystem;
    this.#exists = !isNew;
    this.#path = `${curDir}/${file}${SUFFIX}`;
  }

  /** Learns what consumers before this one noted. @throws the system's error */
  read(): void | Promise<void> {
    if (!this.#exists) return;
    const learn = (text: string) => {
      // A line without its end was torn by a full disk or a crash, and may be the beginning of another.
      for (const [, kind, index] of text.matchAll(/^([sud])(\d{1,9})\n/gm)) this.#learn(kind ?? "", Number(index));
    };
    const nothing = (error: unknown) => {
      if (errnoOf(error) !== "ENOENT") throw error;
      this.#exists = false;
    };
    try {
      const file = readBounded(this.#fileSystem, this.#path, MAX_BYTES);
      const learned = whenReady(file, ({ bytes }) => learn(bytes.toString("latin1")));
      return learned instanceof Promise ? learned.catch(nothing) : learned;
    } catch (error) {
      nothing(error);
    }
  }

  /** How often an envelope was handed out, and not put back as if it had not been. */
  attemptsOf(index: number): number {
    return this.#begun.get(index) ?? 0;
  }

  get hasBegun(): boolean {
    return this.#begun.size > 0;
  }

  /** How many have begun and are not settled. */
  get inWork(): number {
    return [...this.#begun].filter(([index, attempts]) => attempts > 0 && !this.isSettled(index)).length;
  }

  get settled(): number {
    return this.#settled;
  }

  isSettled(index: number): boolean {
    return this.#isSettled[index] === true;
  }

  /** Notes that an envelope is handed out; a crash from here on counts as an attempt. */
  begin(index: number): void {
    this.#note("s", index);
  }

  /** Notes that it was not meant to count. */
  takeBack(index: number): void {
    this.#note("u", index);
  }

  settle(index: number): void {
    this.#note("d", index);
  }

  /** The same, to be written by `write()` at the latest. */
  settleLater(index: number): void {
    this.#owed += noteOf("d", index);
    this.#learn("d", index);
  }

  /** Writes what is owed. @throws the system's error, unless the disk is full (see `#note`) */
  write(): void {
    try {
      this.#pay();
    } catch (error) {
      if (!isFull(error)) throw error;
    }
  }

  /** Keeps the notes for the next consumer. */
  close(): void {
    try {
      this.#pay();
    } catch {
      // What they were about is repeated.
    }
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) closeQuietly(this.#fileSystem, fd);
  }

  /** After the file itself is gone: the other way round, a crash would bring everything back. */
  remove(): void {
    this.#owed = "";
    this.close();
    if (!this.#exists) return;
    try {
      ignoreMissing(() => this.#fileSystem.unlink(this.#path));
    } catch {
      // The next consumer finds notes without a file, and removes them.
    }
  }

  /**
   * A full disk must not keep anybody from consuming, which frees it: then the note is made with the next one, and a crash until then
   * repeats what it was about.
   */
  #note(kind: "s" | "u" | "d", index: number): void {
    const line = noteOf(kind, index);
    this.#owed += line;
    try {
      this.#pay();
    } catch (error) {
      const isUntouched = this.#owed.length >= line.length;
      if (!isFull(error) && isUntouched) {
        this.#owed = this.#owed.slice(0, -line.length);
        throw error;
      }
    }
    this.#learn(kind, index);
  }

  #pay(): void {
    if (this.#owed === "") return;
    this.#exists = true;
    this.#fd ??= this.#fileSystem.open(this.#path, O_CREAT | O_WRONLY | O_APPEND | O_NOFOLLOW, PRIVATE_FILE_MODE);
    while (this.#owed !== "") {
      const written = this.#fileSystem.write(this.#fd, Buffer.from(this.#owed, "latin1"), 0, this.#owed.length, null);
      this.#owed = this.#owed.slice(written);
    }
  }

  #learn(kind: string, index: number): void {
    if (kind === "d") {
      if (!this.isSettled(index)) this.#settled++;
      this.#isSettled[index] = true;
    } else this.#begun.set(index, Math.max(0, this.attemptsOf(index) + (kind === "s" ? 1 : -1)));
  }
}

function noteOf(kind: "s" | "u" | "d", index: number): string {
  return `${kind}${index}\n`;
}

function isFull(error: unknown): boolean {
  return errnoOf(error) === "ENOSPC" || errnoOf(error) === "EDQUOT";
}

/** The message file that an entry of `cur/` has notes on; undefined when it is something else. */
export function fileOfProgress(name: string): string | undefined {
  const file = name.slice(0, -SUFFIX.length);
  return name.endsWith(SUFFIX) && isMessageFile(file) ? file : undefined;
}
