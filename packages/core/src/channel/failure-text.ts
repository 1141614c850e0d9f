/** Longest text of a failure that is sent back, in characters. */
const MAX_CHARACTERS = 1_000;

/** What a handler threw, in one line for whoever asked. There are values that cannot be made a string. */
export function failureText(error: unknown): string {
  try {
    const text = error instanceof Error ? error.message : String(error);
    return text.replaceAll("\n", " ").slice(0, MAX_CHARACTERS) || "it failed";
  } catch {
    return "it failed, and what it threw says nothing";
  }
}
