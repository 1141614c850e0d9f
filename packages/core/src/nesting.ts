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

/** In bytes. */
const SHORT = 4 * 1024;

/** Whether JSON text is nested too deeply; to be asked before it is parsed. @param json UTF-8, which need not be JSON */
export function isNestedTooDeeply(json: Uint8Array): boolean {
  if (json.length > SHORT ? hasFewOpenings(json) : countsFewOpenings(json)) return false;
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i] ?? 0;
    if (byte === QUOTE) i = endOfString(json, i);
    else if ((byte | LOWER_CASE) === OPENING) {
      if (++depth > MAX_NESTING) return true;
    } else if ((byte | LOWER_CASE) === CLOSING) depth--;
  }
  return false;
}

/** The same for a short text, where a search costs more to call than to do. */
function countsFewOpenings(json: Uint8Array): boolean {
  let openings = 0;
  for (let i = 0; i < json.length; i++) if (((json[i] ?? 0) | LOWER_CASE) === OPENING) openings++;
  return openings <= MAX_NESTING;
}

/** Too few brackets and braces to be nested too deeply, wherever they stand; found by the processor's own search, so for little. */
function hasFewOpenings(json: Uint8Array): boolean {
  let openings = 0;
  for (const opening of [OPENING, OPENING & ~LOWER_CASE]) {
    for (let i = json.indexOf(opening); i !== -1; i = json.indexOf(opening, i + 1)) {
      if (++openings > MAX_NESTING) return false;
    }
  }
  return true;
}

/** Where the string that begins at a quote ends. */
function endOfString(json: Uint8Array, start: number): number {
  let i = start + 1;
  while (i < json.length && json[i] !== QUOTE) i += json[i] === BACKSLASH ? 2 : 1;
  return i;
}
