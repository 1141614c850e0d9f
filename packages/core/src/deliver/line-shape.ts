/**
 * What stands in a shape where a line has a character of its own: control characters, which JSON has none of, each a bit of `ALLOWED`.
 * The first character of a ULID holds three bits (https://github.com/ulid/spec); no second here is a leap second.
 */
const FIRST_OF_ID = "\x01";
const OF_ID = "\x02";
const TENS = "\x04";
const DIGIT = "\x08";
const OWN_ID = FIRST_OF_ID + OF_ID.repeat(25);
const OWN_SECONDS = `${TENS}${DIGIT}.${DIGIT}${DIGIT}${DIGIT}Z`;

/** Where each byte may stand. */
const ALLOWED = new Uint8Array(256);
allow(FIRST_OF_ID, "01234567");
allow(OF_ID, "0123456789ABCDEFGHJKMNPQRSTVWXYZ");
allow(TENS, "012345");
allow(DIGIT, "0123456789");

const SPACE = 0x20;
const LAST_ASCII = 0x7f;
const CLOSING = "}".charCodeAt(0);
const NEWLINE = "\n".charCodeAt(0);
const END_LENGTH = "}\n".length;

/**
 * All of a plain line (plain-lines.ts) but its data, as bytes.
 *
 * A line is compared byte by byte, in loops of a few instructions: of all ways, this one needs the least of what a processor forgets
 * between two messages. To decode the line first, and compare parts of it, takes 2 µs more when it comes alone, of some 20.
 */
export class LineShape {
  readonly #bytes: Uint8Array;

  /** @param head what each line has before its id @param middle between id and seconds @param rest between seconds and data; JSON */
  constructor(head: string, middle: string, rest: string) {
    const text = head + OWN_ID + middle + OWN_SECONDS + rest;
    const bytes = Buffer.from(text);
    // Where a character takes two bytes, no line has this shape.
    this.#bytes = bytes.length === text.length ? bytes : NOTHING;
  }

  /** Where the data begins. */
  get length(): number {
    return this.#bytes.length;
  }

  /** Whether a line has this shape up to its data, and ends as such a line does. @param length of it, with its last newline */
  fits(bytes: Uint8Array, length: number): boolean {
    const shape = this.#bytes;
    const end = length - END_LENGTH;
    if (shape.length === 0 || shape.length >= end) return false;
    if (bytes[end] !== CLOSING || bytes[end + 1] !== NEWLINE) return false;
    for (let i = 0; i < shape.length; i++) {
      const expected = shape[i] as number;
      const byte = bytes[i] as number;
      if (expected >= SPACE ? byte !== expected : ((ALLOWED[byte] as number) & expected) === 0) return false;
    }
    return true;
  }

  /** Whether the data of a line that fits is ASCII and has no newline, so that the line is one; the data need not be JSON. */
  hasPlainData(bytes: Uint8Array, length: number): boolean {
    const end = length - END_LENGTH;
    for (let i = this.length; i < end; i++) {
      const byte = bytes[i] as number;
      if (byte > LAST_ASCII || byte === NEWLINE) return false;
    }
    return true;
  }
}

const NOTHING = new Uint8Array(0);

function allow(place: string, characters: string): void {
  for (const character of characters)
    ALLOWED[character.charCodeAt(0)] = (ALLOWED[character.charCodeAt(0)] as number) | place.charCodeAt(0);
}
