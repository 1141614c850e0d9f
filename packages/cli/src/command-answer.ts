import type { ExecCommand, ExecMessage } from "./exec-command.js";
import type { End } from "./end.js";

/** Answers a request with what a command prints. @throws what whoever asked is told */
export async function answerBy(message: ExecMessage, command: ExecCommand, end: End): Promise<unknown> {
  if (!(await end.begin())) throw new Error("the responder has ended; ask again");
  try {
    const { isDone, failure, output } = await command.run(message);
    if (!isDone) throw new Error(end.signal.aborted ? `the responder was stopped (${failure}); ask again` : failure);
    return dataIn(output.toString("utf8"));
  } finally {
    end.finish(true);
  }
}

function dataIn(text: string): unknown {
  if (text.trim() === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return text.replace(/\r?\n$/, "");
  }
}
