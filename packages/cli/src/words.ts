import fs from "node:fs";
import { printable } from "./printable.js";

const STDERR = 2;

/** Words for people: on stderr, and never with somebody else's control characters. */
export function say(words: string): void {
  sayAsIs(printable(words));
}

/** What is fit for stderr already. Not through `process.stderr`, which takes 4 ms to come into being. */
export function sayAsIs(line: string): void {
  try {
    fs.writeSync(STDERR, `${line}\n`);
  } catch (error) {
    // Somebody made the pipe non-blocking, and it is full. Any other failure: nobody is there to be told.
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") process.stderr.write(`${line}\n`);
  }
}
