import { createInterface } from "node:readline";
import { UsageError } from "../failure.js";
import { Interruption } from "../interruption.js";

/**
 * Asks on the terminal; only "y" or "yes" is yes, and the end of input is none. The terminal keeps its own line editing, so that Ctrl-C,
 * Ctrl-Z and Ctrl-D are what they are everywhere, and nobody has to put it right when this process is killed.
 * @param fix what to give instead where nobody can be asked
 * @throws UsageError where nobody can answer, Interrupted
 */
export async function ask(question: string, fix: string): Promise<boolean> {
  const output = [process.stderr, process.stdout].find(({ isTTY }) => isTTY);
  if (!process.stdin.isTTY) throw new UsageError("nobody can be asked: stdin is no terminal", fix);
  if (output === undefined) throw new UsageError("nobody can be asked: neither stdout nor stderr is a terminal", fix);
  const interruption = new Interruption();
  try {
    output.write(`${question} [y/N] `);
    const answer = await lineFrom(process.stdin, interruption.signal);
    if (answer === undefined) output.write("\n");
    return /^y(?:es)?$/i.test(answer?.trim() ?? "");
  } catch (error) {
    output.write("\ninterrupted before an answer: nothing is done\n");
    throw error;
  } finally {
    interruption.close();
  }
}

/**
 * With --json no plan is shown, and nobody can say yes to what they have not seen: before anything is done.
 * @param fix the same command, with --yes
 * @throws UsageError
 */
export function refuseUnseen({ json = false, yes = false }: { json?: boolean; yes?: boolean }, fix: string): void {
  if (json && !yes)
    throw new UsageError(
      "with --json the plan is not shown, so nobody can be asked about it",
      `${fix}; without --json it shows its plan and asks`,
    );
}

/** undefined: input has ended, or the terminal is gone. @throws the signal's reason */
async function lineFrom(input: NodeJS.ReadStream, signal: AbortSignal): Promise<string | undefined> {
  const lines = createInterface({ input, terminal: false });
  try {
    return await new Promise((resolve, reject) => {
      lines.once("line", resolve);
      lines.once("close", () => resolve(undefined));
      input.once("error", () => resolve(undefined));
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
  } finally {
    lines.close();
  }
}
