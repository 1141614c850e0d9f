import assert from "node:assert/strict";
import { test } from "node:test";
import { Command } from "commander";
import { publishCommand } from "#cli/commands/publish.js";
import { readPlainPublish, type PlainPublish } from "#cli/plain-publish.js";
import { buildProgram } from "#cli/program.js";

const PLAIN = [
  "publish a.b",
  "publish a.b 1",
  "publish a.b 1 --mandatory",
  "publish --mandatory a.b 1",
  "publish a.b --spool /s --json 1",
  "publish --group g a.b 1 --receipt --text",
  "publish a.b hello --raw",
  "publish --to codebot a.b 1 --id i --type t --subject s --correlation c",
  "publish a.b 1 --spool /s --spool /t",
  "publish help",
  "publish publish publish",
].map((line) => line.split(" "));

const NOT_PLAIN = [
  [],
  ["subscribe", "a"],
  ["--json", "publish", "a", "1"],
  ["publish"],
  ["publish", "a", "1", "2"],
  ["publish", "a", "-"],
  ["publish", "a", "-5"],
  ["publish", "a", ""],
  ["publish", "--help"],
  ["publish", "a", "--", "1"],
  ["publish", "a", "1", "--spool"],
  ["publish", "a", "1", "--spool", "--json"],
  ["publish", "a", "1", "--spool=/s"],
  ["publish", "a", "1", "--priority", "3"],
  ["publish", "a", "1", "--lines"],
  ["publish", "a", "1", "--unknown"],
  ["publish", "a", "1", "--toString"],
];

test("a plain publish is read as commander reads it", async () => {
  for (const argv of PLAIN) assert.deepEqual(readPlainPublish(argv), await readByCommander(argv), argv.join(" "));
});

test("whatever is not plain is left to commander", () => {
  for (const argv of NOT_PLAIN) assert.equal(readPlainPublish(argv), undefined, argv.join(" "));
});

async function readByCommander(argv: readonly string[]): Promise<PlainPublish | undefined> {
  let read: PlainPublish | undefined;
  const program = await buildProgram(argv);
  const [command] = program.commands;
  assert.equal(command?.name(), publishCommand(new Command()).name());
  command.action((topic: string, data: string | undefined, _: unknown, self: Command) => {
    read = { topic, data, options: self.optsWithGlobals() };
  });
  await program.parseAsync(argv, { from: "user" });
  return read;
}
