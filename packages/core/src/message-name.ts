import fs from "node:fs";
import { encodeTime, incrementBase32, ulid as newUlid } from "ulid";

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

const [ZERO, SEVEN, NINE] = [0x30, 0x37, 0x39];
const [LETTER_A, LETTER_I, LETTER_L, LETTER_O, LETTER_U, LETTER_Z] = [0x41, 0x49, 0x4c, 0x4f, 0x55, 0x5a];

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

/** `^[0-7][0-9A-HJKMNP-TV-Z]{25}$`, which takes longer: every message has one. */
export function isUlid(text: string): boolean {
  if (text.length !== ULID_LENGTH || text.charCodeAt(0) > SEVEN) return false;
  for (let i = 0; i < ULID_LENGTH; i++) if (!isOfBase32(text.charCodeAt(i))) return false;
  return true;
}

/** Digits and capitals but for I, L, O and U. */
function isOfBase32(code: number): boolean {
  if (code < LETTER_A) return code >= ZERO && code <= NINE;
  return code <= LETTER_Z && code !== LETTER_I && code !== LETTER_L && code !== LETTER_O && code !== LETTER_U;
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

/** As many numbers as two characters of base 32 stand for. */
const PAIRS = 1_024;
const PAIR_LENGTH = 2;
/** Made when they are first needed. */
const PAIR_TEXTS: string[] = [];

/** Two characters of base 32. */
function pairOf(number: number): string {
  return (PAIR_TEXTS[number] ??= encodeTime(number, PAIR_LENGTH));
}

export interface UlidParts {
  readonly stem: string;
  readonly tail: string;
}

/** Makes the ids and file names of one publisher: each sorts after the one before, also when the clock steps back. */
export class NameSource {
  readonly #random = new RandomText();
  #lastMs = -1;
  /** Of the last ULID: its time but for the last two characters, as a number and as text, and the whole. */
  #timeHead = -1;
  #timeHeadText = "";
  #time = "";
  /** Of the last ULID: the rest but for the last two characters, which count. */
  #restHead = "";
  #count = PAIRS;
  /** The time and the rest, up to the last two characters. */
  #stem = "";

  /**
   * As `monotonicFactory` of ulid, which makes all 26 characters anew for each millisecond, and takes as long for that as the rest of a
   * small message. Here the random part is drawn anew for every thousandth, and counts up in between.
   * @param nowMs in ms since 1970
   */
  ulid(nowMs: number = Date.now()): string {
    const { stem, tail } = this.ulidInParts(nowMs);
    return stem + tail;
  }

  /** The same, not put together: its last two characters, and those before, which most ULIDs share with the one before. */
  ulidInParts(nowMs: number): UlidParts {
    const isLater = nowMs > this.#lastMs;
    if (isLater) this.#setTime(nowMs);
    if (++this.#count >= PAIRS) {
      this.#restHead = isLater ? this.#freshRest().slice(0, -PAIR_LENGTH) : incrementBase32(this.#restHead);
      this.#count = 0;
      this.#stem = this.#time + this.#restHead;
    } else if (isLater) this.#stem = this.#time + this.#restHead;
    return { stem: this.#stem, tail: pairOf(this.#count) };
  }

  #setTime(ms: number): void {
    const head = Math.floor(ms / PAIRS);
    if (head !== this.#timeHead) this.#timeHeadText = encodeTime(head, TIME_LENGTH - PAIR_LENGTH);
    this.#timeHead = head;
    this.#lastMs = ms;
    this.#time = this.#timeHeadText + pairOf(ms % PAIRS);
  }

  #freshRest(): string {
    return newUlid(0, () => this.#random.fraction()).slice(TIME_LENGTH);
  }

  /**
   * One that nobody can guess from another: `ulid()` counts up. A millisecond early, so that it sorts before
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
