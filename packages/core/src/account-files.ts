import fs from "node:fs";
import { errnoOf } from "./errors.js";
import { closeQuietly, type FileSystem } from "./file-system.js";
import type { NamedId } from "./name-table.js";
import { isUserName } from "./topics.js";

/** (uid_t) -1 is no account: to chown(2) it means "leave as it is". */
export const MAX_UID = 0xffff_fffe;

export interface UserEntry extends NamedId {
  readonly gid: number;
}

export interface GroupEntry extends NamedId {
  readonly members: readonly string[];
}

/** What `/etc/passwd` or `/etc/group` last said, parsed. */
export class AccountFile<Entry> {
  entries: readonly Entry[] = [];
  readonly #fileSystem: FileSystem;
  readonly #path: string;
  readonly #parse: (line: string) => Entry | undefined;
  #stamp: string | undefined;

  constructor(fileSystem: FileSystem, path: string, parse: (line: string) => Entry | undefined) {
    this.#fileSystem = fileSystem;
    this.#path = path;
    this.#parse = parse;
  }

  /**
   * Reads the file again if it is another one than at the last reading.
   * @returns whether it was @throws the system's error, but for ENOENT: some containers have no such file
   */
  refresh(): boolean {
    const stamp = this.#currentStamp();
    if (stamp === this.#stamp) return false;
    const text = stamp === "" ? "" : readText(this.#fileSystem, this.#path);
    this.entries = text.split("\n").flatMap((line) => this.#parse(line) ?? []);
    // Older than the text or as old: a change in between shows as another stamp next time.
    this.#stamp = stamp;
    return true;
  }

  /** The tools that edit these files write a new one and rename it into place, so its inode alone would nearly do. */
  #currentStamp(): string {
    try {
      const { dev, ino, size, mtimeMs, ctimeMs } = this.#fileSystem.stat(this.#path);
      return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return "";
      throw error;
    }
  }
}

/**
 * A line of passwd(5), as `getent passwd` prints it too. Lines for NIS (`+`, `-`), comments, broken ones, and accounts whose
 * names do not fit into the spool (`DOMAIN\user`) yield nothing.
 */
export function parseUser(line: string): UserEntry | undefined {
  const [name = "", , idText, gidText] = line.trim().split(":");
  const [id, gid] = [parseId(idText), parseId(gidText)];
  return id === undefined || gid === undefined || !isUserName(name) ? undefined : { name, id, gid };
}

/** A line of group(5), likewise. */
export function parseGroup(line: string): GroupEntry | undefined {
  const [name = "", , idText, members = ""] = line.trim().split(":");
  const id = parseId(idText);
  return id === undefined || !isUserName(name)
    ? undefined
    : { name, id, members: members.split(",").filter(isUserName) };
}

function parseId(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= MAX_UID ? id : undefined;
}

/** Follows links, unlike every reading in the spool: these files are root's, and some systems keep them elsewhere. */
function readText(fileSystem: FileSystem, path: string): string {
  const fd = fileSystem.open(path, fs.constants.O_RDONLY);
  try {
    const chunks: Buffer[] = [];
    for (;;) {
      const chunk = Buffer.allocUnsafe(64 * 1024);
      const bytes = fileSystem.read(fd, chunk, 0, chunk.length, null);
      if (bytes === 0) return Buffer.concat(chunks).toString("latin1");
      chunks.push(chunk.subarray(0, bytes));
    }
  } finally {
    closeQuietly(fileSystem, fd);
  }
}
