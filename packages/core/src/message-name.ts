import fs from "node:fs";
import { incrementBase32, ulid as newUlid } from "ulid";

/**
 * `<priority>-<ulid>-<random>`: name order is delivery order, and the random part, which the id does not give away, keeps a
 * message unreadable in a directory that cannot be listed. Files add `.json`; streams, which may still grow, `.jsonl`.
 */
const MESSAGE_FILE = /^[0-9]-[0-9A-HJKMNP-TV-Z]{26}-[a-z2-7]{26}\.jsonl?$/;
const SEAL = /^\.[0-9]-[0-9A-HJKMNP-TV-Z]{26}\.sealed$/;
/** `<priority>-<ulid>` */
const PLACE_LENGTH = 28;
export const ULID_LENGTH = 26;
const TIME_LENGTH = 10;
const ULID_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** How long a publisher may append to a stream, in milliseconds, by its own clocks and by the time in the file's name. */
export const MAX_GROWTH_MS = 10_000;

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const RANDOM_LENGTH = 26;

export function isMessageFile(name: string): boolean {
  return MESSAGE_FILE.test(name);
}

/** A message file that its publisher may still append to. */
export function isStream(fileName: string): boolean {
  return fileName.endsWith(".jsonl");
}

/** Whether a stream's publisher may have appended to it just now. */
export function mayHaveGrown(fileName: string): boolean {
  return Math.abs(Date.now() - ulidTimeMs(ulidOf(fileName))) < 2 * MAX_GROWTH_MS;
}

/** The entry of `new/` that tells a publisher to append nothing more; whoever renames the stream leaves it under this name. */
export function sealOf(fileName: string): string {
  return `.${fileName.slice(0, PLACE_LENGTH)}.sealed`;
}

export function isSeal(name: string): boolean {
  return SEAL.test(name);
}

export function isUlid(text: string): boolean {
  return ULID.test(text);
}

/** The time in a ULID, in milliseconds since 1970 (https://github.com/ulid/spec). */
export function ulidTimeMs(ulid: string): number {
  let time = 0;
  for (let i = 0; i < 10; i++) time = time * 32 + ULID_ALPHABET.indexOf(ulid[i] ?? "0");
  return time;
}

/** The ULID inside a message file's name; "" when the name is not one of ours. */
export function ulidOf(fileName: string): string {
  return isMessageFile(fileName) ? fileName.slice(2, PLACE_LENGTH) : "";
}

/** Makes the ids and file names of one publisher: each sorts after the one before, also when the clock steps back. */
export class NameSource {
  readonly #random = new RandomText();
  #lastMs = 0;
  /** Of the last ULID: what is before its last character, and that one's place in the alphabet. */
  #stem = "";
  #last = 0;

  /**
   * As `monotonicFactory` of ulid, which makes the text of the time anew for each, and goes through the others character by character.
   * @param nowMs in ms since 1970
   */
  ulid(nowMs: number = Date.now()): string {
    if (nowMs > this.#lastMs) {
      this.#lastMs = nowMs;
      this.#restart(newUlid(nowMs, () => this.#random.fraction()));
    } else if (this.#last < ULID_ALPHABET.length - 1) this.#last++;
    else this.#restart(this.#stem.slice(0, TIME_LENGTH) + incrementBase32(this.#stem.slice(TIME_LENGTH) + "Z"));
    return this.#stem + (ULID_ALPHABET[this.#last] as string);
  }

  #restart(ulid: string): void {
    this.#stem = ulid.slice(0, -1);
    this.#last = ULID_ALPHABET.indexOf(ulid.slice(-1));
  }

  /**
   * One that nobody can guess from another: within a millisecond `ulid()` counts up. A millisecond early, so that it sorts before
   * whatever is named from now on.
   */
  secretUlid(): string {
    return newUlid(Date.now() - 1, () => this.#random.fraction());
  }

  /** A message file's name. @param order a ULID: its place among this publisher's messages of that priority. */
  messageFile(priority: number, order: string, suffix: ".json" | ".jsonl" = ".json"): string {
    return `${priority}-${order}-${this.#random.text(RANDOM_LENGTH)}${suffix}`;
  }

  /** The same place in the order, under a name that nobody else knows. */
  renamed(fileName: string): string {
    const random = this.#random.text(RANDOM_LENGTH);
    return `${fileName.slice(0, PLACE_LENGTH + 1)}${random}${fileName.slice(PLACE_LENGTH + 1 + RANDOM_LENGTH)}`;
  }

  /** `length` characters of 5 random bits each. */
  random(length: number): string {
    return this.#random.text(length);
  }
}

/** Random characters from a pool, because one call of the generator costs more than the hundred bytes that it gives. */
class RandomText {
  readonly #pool = Buffer.alloc(4096);
  #next = this.#pool.length;

  #byte(): number {
    if (this.#next === this.#pool.length) {
      fillFromKernel(this.#pool);
      this.#next = 0;
    }
    return this.#pool[this.#next++] ?? 0;
  }

  text(length: number): string {
    let text = "";
    for (let i = 0; i < length; i++) text += ALPHABET[this.#byte() & 31];
    return text;
  }

  /** In [0, 1), in steps of 1/256: `ulid` takes five bits of it. */
  fraction(): number {
    return this.#byte() / 256;
  }
}

/**
 * Random bytes from the kernel's generator: random(4), the one that node:crypto asks too. Loading that module takes a process that
 * publishes once about as long as the publish.
 */
function fillFromKernel(pool: Buffer): void {
  try {
    const fd = fs.openSync("/dev/urandom", fs.constants.O_RDONLY);
    try {
      if (fs.fstatSync(fd).isCharacterDevice() && fs.readSync(fd, pool) === pool.length) return;
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    // No such device in this sandbox, or no descriptor left: node:crypto needs neither.
  }
  process.getBuiltinModule("node:crypto").randomFillSync(pool);
}
