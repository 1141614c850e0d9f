/** Room for text that is put together there. */
export interface TextRoom {
  readonly bytes: Buffer;
  /** The same, four bytes at a time. */
  readonly words: Int32Array;
}

export function textRoom(length: number): TextRoom {
  const bytes = Buffer.allocUnsafeSlow(length);
  return { bytes, words: new Int32Array(bytes.buffer, 0, length >> 2) };
}

/** JSON that nobody has looked at yet. */
interface Draft {
  readonly text: string;
  /** Those that were put in. */
  readonly quotes: number;
}

/**
 * The JSON of an object that holds nothing but texts, numbers and booleans, as most messages do: the text that JSON.stringify makes, in half the
 * time. V8 looks at each character by itself; here four are looked at together, after they have been written into a buffer.
 *
 * It is put together as if no character needed an escape, and checked then: only ASCII, no control character, no backslash, and no more
 * quotes than were put in. So nothing is decided here that JSON.stringify would decide otherwise.
 * @returns undefined when it is another kind of object, or some character needs an escape: that is for JSON.stringify
 */
export function flatJson(data: object): string | undefined {
  const draft = join(data);
  return draft !== undefined && write(draft, SCRATCH) > 0 ? draft.text : undefined;
}

/**
 * The same, written where it is to be, and never a text.
 * @param quotesBefore how many quotes are among the last 0, 1, 2 and 3 bytes in front of it, which are plain
 * @returns where it ends; 0 when there is not room for whatever it could be, or `flatJson` would give undefined
 */
export function writeFlatJson(data: object, room: TextRoom, at: number, quotesBefore: readonly number[]): number {
  if (Object.getPrototypeOf(data) !== Object.prototype) return 0;
  const { bytes } = room;
  let end = at;
  let quotes = quotesBefore[at & 3] as number;
  for (const name in data) {
    if (!Object.hasOwn(data, name)) return 0;
    const value: unknown = (data as Record<string, unknown>)[name];
    const isText = typeof value === "string";
    if (!isText && typeof value !== "boolean" && !(typeof value === "number" && Number.isFinite(value))) return 0;
    const text = isText ? value : String(value);
    if (end + (name.length + text.length) * BYTES_OF_CHARACTER + MOST_AROUND > bytes.length) return 0;
    bytes[end] = end === at ? OPENING_BRACE : COMMA;
    bytes[end + 1] = QUOTE;
    end = put(name, bytes, end + 2);
    if (end === 0) return 0;
    bytes[end] = QUOTE;
    bytes[end + 1] = COLON;
    end += 2;
    quotes += 2;
    if (isText) bytes[end++] = QUOTE;
    end = put(text, bytes, end);
    if (end === 0) return 0;
    if (!isText) continue;
    bytes[end++] = QUOTE;
    quotes += 2;
  }
  if (end === at) {
    if (end + MOST_AROUND > bytes.length) return 0;
    bytes[end++] = OPENING_BRACE;
  }
  bytes[end] = CLOSING_BRACE;
  return isPlain(room, at, end + 1, quotes) ? end + 1 : 0;
}

/** @returns where it ends; 0 when it is not ASCII */
function put(text: string, bytes: Buffer, at: number): number {
  // To call a function of Node's costs as much as so many characters.
  if (text.length > FEW_CHARACTERS) return bytes.write(text, at) === text.length ? at + text.length : 0;
  let all = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    all |= unit;
    bytes[at + i] = unit;
  }
  return all < 0x80 ? at + text.length : 0;
}

function join(data: object): Draft | undefined {
  if (Object.getPrototypeOf(data) !== Object.prototype) return undefined;
  let text = "";
  let quotes = 0;
  for (const name in data) {
    if (!Object.hasOwn(data, name)) return undefined;
    const value: unknown = (data as Record<string, unknown>)[name];
    const before = text === "" ? '{"' : ',"';
    if (typeof value === "string") {
      text = `${text}${before}${name}":"${value}"`;
      quotes += 4;
    } else if (typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))) {
      text = `${text}${before}${name}":${value}`;
      quotes += 2;
    } else return undefined;
  }
  return text === "" ? { text: "{}", quotes } : { text: `${text}}`, quotes };
}

const MAX_CHARACTERS = 16_000;
const BYTES_OF_CHARACTER = 3;
const SCRATCH = textRoom(MAX_CHARACTERS * BYTES_OF_CHARACTER + 4);
const SPACE = 0x20;
/** For each byte of a word, one that is counted: more words than a byte can count are not added up. */
const MAX_COUNT = 255;
const FEW_CHARACTERS = 32;
/** Bytes beside names and values, at the most: around one member, at the end, and behind it. */
const MOST_AROUND = 10;
const [OPENING_BRACE, CLOSING_BRACE, COMMA, COLON, QUOTE] = [0x7b, 0x7d, 0x2c, 0x3a, 0x22];

/** Writes a draft, and looks at it. @returns where it ends; 0 when it is not plain */
function write({ text, quotes }: Draft, room: TextRoom): number {
  if (text.length > MAX_CHARACTERS) return 0;
  const end = room.bytes.write(text);
  // Whatever is not ASCII takes more bytes than characters.
  return end === text.length && isPlain(room, 0, end, quotes) ? end : 0;
}

/**
 * Whether bytes, none of which has its highest bit, are no control characters and no backslashes, and so many quotes.
 * What shares their first word counts as well; three bytes behind them are written over.
 */
function isPlain({ bytes, words }: TextRoom, start: number, end: number, quotes: number): boolean {
  bytes[end] = bytes[end + 1] = bytes[end + 2] = SPACE;
  const wordsEnd = (end + 3) >> 2;
  let unfit = 0;
  let found = 0;
  for (let word = start >> 2; word < wordsEnd;) {
    const pauseAt = Math.min(word + MAX_COUNT, wordsEnd);
    let counts = 0;
    for (; word < pauseAt; word++) {
      const four = words[word] as number;
      // The highest bit of a byte is set when it is below a space, or a backslash, or next to such a one: in any case when there is one.
      unfit |= (four - 0x20202020) | ((four ^ 0x5c5c5c5c) - 0x01010101);
      // … and here exactly when it is a quote.
      counts += (~((four ^ 0x22222222) + 0x7f7f7f7f) & 0x80808080) >>> 7;
    }
    found += (counts & 0xff) + ((counts >>> 8) & 0xff) + ((counts >>> 16) & 0xff) + (counts >>> 24);
  }
  return (unfit & 0x80808080) === 0 && found === quotes;
}
