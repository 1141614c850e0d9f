type Value = string | number | boolean;

/** A member that the data had. */
interface Member {
  readonly name: string;
  /** What stands before its value: `{"name":`, or `,"name":`. */
  readonly before: Uint8Array;
}

const NO_MEMBERS: readonly Member[] = Object.freeze([]);
/** Data with more members than this is left to the parser. */
const MAX_MEMBERS = 32;
/** To learn takes longer than to parse; what is never the same for long is not learned again and again. */
const COST_OF_LEARNING = 4;
const MAX_CREDIT = 8;

/**
 * Reads data that is a flat object (flat-json.ts) with the members of the one before, in the same order: what most messages of a topic hold.
 *
 * It gives the object that JSON.parse gives, or nothing. V8's parser is fast once it runs; where it is called every now and then, most of
 * its code has to be fetched from memory each time, and for a short text it takes 2 µs more than these few loops.
 */
export class FlatData {
  #members = NO_MEMBERS;
  #credit = MAX_CREDIT;
  /** Behind the value that was read last. */
  #at = 0;

  /**
   * @param end of the text that begins at `at`; a newline comes somewhere behind it, which ends whatever has no end of its own
   * @returns undefined when it is for the parser
   */
  read(bytes: Buffer, at: number, end: number): object | undefined {
    const members = this.#members;
    if (members.length === 0) return undefined;
    const object: Record<string, Value> = {};
    for (let i = 0; i < members.length; i++) {
      const { name, before } = members[i] as Member;
      if (!standsAt(bytes, at, before)) return undefined;
      const value = this.#value(bytes, at + before.length);
      if (value === undefined) return undefined;
      object[name] = value;
      at = this.#at;
    }
    if (bytes[at] !== CLOSING_BRACE || at + 1 !== end) return undefined;
    if (this.#credit < MAX_CREDIT) this.#credit++;
    return object;
  }

  /** Takes data that had to be parsed as what the next one looks like. @param data `json`, parsed */
  learn(data: unknown, json: string): void {
    if (this.#credit < COST_OF_LEARNING || typeof data !== "object" || data === null || Array.isArray(data)) return;
    const names = Object.keys(data);
    if (names.length > MAX_MEMBERS || this.#isKnown(names)) return;
    this.#credit -= COST_OF_LEARNING;
    // Then no name comes twice, and there is no space in between. What assignment would not define is not learned.
    if (JSON.stringify(data) !== json || names.some((name) => !isAscii(name) || name in Object.prototype)) return;
    this.#members = names.map((name, i) => ({
      name,
      before: Buffer.from(`${i === 0 ? "{" : ","}${JSON.stringify(name)}:`),
    }));
  }

  #isKnown(names: readonly string[]): boolean {
    const members = this.#members;
    return names.length === members.length && names.every((name, i) => members[i]?.name === name);
  }

  #value(bytes: Buffer, at: number): Value | undefined {
    const first = bytes[at] as number;
    if (first === QUOTE) return this.#text(bytes, at + 1);
    if (first === FIRST_OF_TRUE || first === FIRST_OF_FALSE) return this.#boolean(bytes, at);
    return this.#integer(bytes, at);
  }

  /** Of ASCII without an escape. @param start behind the quote */
  #text(bytes: Buffer, start: number): string | undefined {
    let at = start;
    for (let byte = bytes[at] as number; byte !== QUOTE; byte = bytes[++at] as number) {
      if (byte < SPACE || byte === BACKSLASH || byte > LAST_ASCII) return undefined;
    }
    this.#at = at + 1;
    return bytes.toString("latin1", start, at);
  }

  #boolean(bytes: Buffer, at: number): boolean | undefined {
    const isTrue = bytes[at] === FIRST_OF_TRUE;
    const word = isTrue ? TRUE : FALSE;
    this.#at = at + word.length;
    return standsAt(bytes, at, word) ? isTrue : undefined;
  }

  /** Short enough to be exact. */
  #integer(bytes: Buffer, at: number): number | undefined {
    const isNegative = bytes[at] === MINUS;
    const start = isNegative ? at + 1 : at;
    let value = 0;
    at = start;
    for (let digit = digitAt(bytes, at); digit >= 0 && digit <= 9; digit = digitAt(bytes, ++at))
      value = value * 10 + digit;
    const digits = at - start;
    // A zero in front is no JSON; and -0 is not 0.
    if (digits === 0 || digits > MAX_DIGITS || (bytes[start] === ZERO && (digits > 1 || isNegative))) return undefined;
    this.#at = at;
    return isNegative ? -value : value;
  }
}

/** All integers of so many digits are exact. */
const MAX_DIGITS = 15;
const TRUE = Buffer.from("true");
const FALSE = Buffer.from("false");
const FIRST_OF_TRUE = TRUE[0] as number;
const FIRST_OF_FALSE = FALSE[0] as number;
const [SPACE, QUOTE, MINUS, ZERO, BACKSLASH, CLOSING_BRACE] = [0x20, 0x22, 0x2d, 0x30, 0x5c, 0x7d];
const LAST_ASCII = 0x7f;

function standsAt(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}

function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}

function digitAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) - ZERO;
}
