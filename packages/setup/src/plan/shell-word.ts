/**
 * Text in a script that somebody reads before root runs it. What a terminal obeys, what nobody sees and what turns the direction of
 * writing round is written as an escape; letters of all languages stand for themselves.
 */

/** Letters, marks, digits, punctuation, symbols and blanks (Unicode's general categories), but none that is drawn as nothing. */
const HONEST = /^[\p{L}\p{M}\p{N}\p{P}\p{S} \t\n]*$/u;
const UNSEEN = /\p{Default_Ignorable_Code_Point}/u;
const CODE_POINT = /[^]/gu;
const PLAIN_WORD = /^[A-Za-z0-9_/.@%+=:,-][A-Za-z0-9_/.@%+=:,~-]*$/;

/** Whether a reader sees what is there. */
export function isHonest(text: string): boolean {
  return HONEST.test(text) && !UNSEEN.test(text);
}

/** For a comment: one line, on which what is not honest stands as <U+202E>. */
export function visibleLine(text: string): string {
  return text.replaceAll(/[\n\r]/g, " ").replaceAll(CODE_POINT, (each) => (isHonest(each) ? each : codePointOf(each)));
}

/**
 * A word that every POSIX shell reads as this text, dash among them, which has no $'…': line breaks stay readable in 'single quotes', and
 * what is not honest is given by its bytes to printf(1).
 */
export function quoteWord(word: string): string {
  if (PLAIN_WORD.test(word)) return word;
  if (isHonest(word)) return `'${word.replaceAll("'", `'\\''`)}'`;
  // "$(…)" drops line breaks at the end.
  const end = /\n*$/.exec(word)?.[0] ?? "";
  const quotedEnd = end === "" ? "" : `'${end}'`;
  return `"$(printf '${printfFormat(word.slice(0, word.length - end.length))}')"${quotedEnd}`;
}

/** What printf(1) prints as this text, within 'single quotes'. */
export function printfFormat(text: string): string {
  const format = text.replaceAll(CODE_POINT, (each) => (isHonest(each) ? ordinary(each) : bytesOf(each)));
  // Or it would be an option.
  return format.replace(/^-/, "\\055");
}

function ordinary(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "'") return "\\047";
  return character === "%" ? "%%" : character === "\\" ? "\\\\" : character;
}

/** Three digits each, so that a digit that follows is none of them. */
function bytesOf(character: string): string {
  return [...Buffer.from(character)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
}

function codePointOf(character: string): string {
  return `<U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}>`;
}
