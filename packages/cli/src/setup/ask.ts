import { createInterface } from "node:readline/promises";
import { UsageError } from "../failure.js";

/** Asks on the terminal; only "y" or "yes" is yes. @throws UsageError where nobody can answer */
export async function ask(question: string): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new UsageError("nobody can be asked: stdin is no terminal", "add --yes, after a look at agentbus setup plan");
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(?:es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}
