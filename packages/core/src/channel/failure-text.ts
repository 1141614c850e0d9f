/** Longest text of a failure that is sent back, in characters. */
const MAX_CHARACTERS = 1_000;

/** What a handler threw, in one line for whoever asked. There are values that cannot be made a string. */
export function failureText(error: unknown): string {
  return inOneLine(error, ({ message }) => message) || "it failed";
}

/** The same for whoever runs the handler, with the name of the error. */
export function thrownText(error: unknown): string {
  return inOneLine(error, ({ name, message }) => `${name}: ${message}`);
}

function inOneLine(error: unknown, wordsOf: (error: Error) => string): string {
  try {
    const text = error instanceof Error ? wordsOf(error) : String(error);
    return text.replaceAll("\n", " ").slice(0, MAX_CHARACTERS);
  } catch {
    return "it failed, and what it threw says nothing";
  }
}
