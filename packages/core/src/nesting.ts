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

/** Whether JSON text is nested too deeply; to be asked before it is parsed. @param json UTF-8, which need not be JSON */
export function isNestedTooDeeply(json: Uint8Array): boolean {
  if (json.length <= MAX_NESTING) return false;
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

/** Where the string that begins at a quote ends. */
function endOfString(json: Uint8Array, start: number): number {
  let i = start + 1;
  while (i < json.length && json[i] !== QUOTE) i += json[i] === BACKSLASH ? 2 : 1;
  return i;
}
