/**
 * How many objects and arrays of an envelope may be inside one another. Far more than anybody means, and far less than makes a
 * parser slow (V8 takes seconds for a few megabytes of brackets), `JSON.stringify` or a validator run out of stack (some thousands),
 * or the readers of other languages refuse (Python's json module: about 1,000).
 */
export const MAX_NESTING = 256;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Brackets and braces differ in this bit only. */
const LOWER_CASE = 0x20;
const OPENING = 0x7b;
const CLOSING = 0x7d;

/**
 * Whether JSON text is nested too deeply; to be asked before it is parsed.
 * @param json which need not be JSON @param depth of where it stands: 1 for the data of an envelope
 */
export function isNestedTooDeeply(json: string, depth = 0): boolean {
  const most = MAX_NESTING - depth;
  // What is too short for so many openings and as many closings is no JSON, or not so deep.
  if (json.length < 2 * (most + 1) || hasFewOpenings(json, most)) return false;
  return isDeeperThan(most, json);
}

function isDeeperThan(most: number, json: string): boolean {
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    const unit = json.charCodeAt(i);
    if (unit === QUOTE) i = endOfString(json, i);
    else if ((unit | LOWER_CASE) === OPENING) {
      if (++depth > most) return true;
    } else if ((unit | LOWER_CASE) === CLOSING) depth--;
  }
  return false;
}

/** Too few brackets and braces to be nested too deeply, wherever they stand; found by V8's own search, so for little. */
function hasFewOpenings(json: string, most: number): boolean {
  let openings = 0;
  for (const opening of ["{", "["]) {
    for (let i = json.indexOf(opening); i !== -1; i = json.indexOf(opening, i + 1)) {
      if (++openings > most) return false;
    }
  }
  return true;
}

/** Where the string that begins at a quote ends. */
function endOfString(json: string, start: number): number {
  let i = start + 1;
  while (i < json.length && json.charCodeAt(i) !== QUOTE) i += json.charCodeAt(i) === BACKSLASH ? 2 : 1;
  return i;
}
