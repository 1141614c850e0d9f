import { reportFailure, reportWarnings } from "./failure.js";
import { buildProgram, commandIn } from "./program.js";

/** Runs one command line. What it could not do is on stderr, and in `process.exitCode`. */
export async function main(argv: readonly string[]): Promise<void> {
  const isJson = argv.includes("--json");
  reportWarnings(isJson);
  try {
    const program = await buildProgram(argv);
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    process.exitCode = await reportFailure(error, isJson, commandIn(argv));
  }
}
