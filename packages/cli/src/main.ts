import { reportFailure, reportWarnings } from "./failure.js";
import { readPlainPublish } from "./plain-publish.js";
import { publishMessage } from "./publish-message.js";

/** Runs one command line. What it could not do is on stderr, and in `process.exitCode`. */
export async function main(argv: readonly string[]): Promise<void> {
  const isJson = argv.includes("--json");
  reportWarnings(isJson);
  const plain = readPlainPublish(argv);
  try {
    if (plain !== undefined) await publishMessage(plain.topic, plain.data, plain.options);
    else await runProgram(argv);
  } catch (error) {
    process.exitCode = await reportFailure(error, isJson, plain === undefined ? await wholeCommandIn(argv) : "publish");
  }
}

async function runProgram(argv: readonly string[]): Promise<void> {
  const { buildProgram } = await import("./program.js");
  const program = await buildProgram(argv);
  await program.parseAsync(argv, { from: "user" });
}

async function wholeCommandIn(argv: readonly string[]): Promise<string | undefined> {
  return (await import("./program.js")).wholeCommandIn(argv);
}
