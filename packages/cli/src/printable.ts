/**
 * What a terminal obeys, and what makes text look like other text: control characters (C0, DEL, C1), line separators, and the
 * marks that turn the direction of writing round (Unicode Standard Annex 9).
 */
// eslint-disable-next-line no-control-regex
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Somebody else's words, fit for a terminal. @param allowed characters that are left as they are */
export function printable(text: string, allowed = ""): string {
  return text.replaceAll(UNSAFE, (unit) => (allowed.includes(unit) ? unit : escape(unit)));
}

/** JSON on one line that says the same and is fit for a terminal: JSON may escape any character of a string. */
export function toJson(value: unknown): string {
  return (JSON.stringify(value) ?? "null").replaceAll(UNSAFE, escape);
}

/** The same over several lines. */
export function toIndentedJson(value: unknown): string {
  return (JSON.stringify(value, undefined, 2) ?? "null").replaceAll(UNSAFE, (unit) =>
    unit === "\n" ? unit : escape(unit),
  );
}

function escape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
