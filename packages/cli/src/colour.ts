const CODES = { dim: 2, red: 31, green: 32, yellow: 33, blue: 34, cyan: 36 } as const;
export type Colour = keyof typeof CODES;

/** Colours text for a stream: only on a terminal, and not where NO_COLOR (https://no-color.org) says no. */
export function painterFor(stream: NodeJS.WriteStream): (colour: Colour, text: string) => string {
  const isPlain = !stream.isTTY || Boolean(process.env["NO_COLOR"]) || process.env["TERM"] === "dumb";
  return isPlain ? (_, text) => text : (colour, text) => `\x1b[${CODES[colour]}m${text}\x1b[0m`;
}
