import assert from "node:assert/strict";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { promisify } from "node:util";
import { PersonalSpool, until } from "./support/personal-spool.js";

const run = promisify(execFile);
const examplesDir = new URL("../../examples/", import.meta.url).pathname;
const me = userInfo().username;

test("publish-subscribe.mjs receives what it publishes, and leaves nothing", async (context) => {
  const spool = await PersonalSpool.make(context);
  const { stdout } = await runExample("publish-subscribe.mjs", spool);
  assert.match(stdout, /^published [0-9A-Z]{26}, stored by 1 subscription$/m);
  assert.match(stdout, new RegExp(`^${me} says build.done: { commit: '4f2a', ok: true }$`, "m"));
  assert.deepEqual(fs.readdirSync(join(spool.path, "subscriptions")), [`${me}~inbox`]);
});

test("durable-worker.mjs tries again what failed, and puts aside what it rejects", async (context) => {
  const spool = await PersonalSpool.make(context);
  const { stdout } = await runExample("durable-worker.mjs", spool);
  assert.deepEqual(stdout.trim().split("\n").sort(), [
    "attempt 1 failed: slow.png is still being uploaded",
    "broken.png is a dead letter: 1 subscription holds it",
    "resized cat.png",
    "resized dog.png",
    "resized slow.png",
  ]);
  assert.deepEqual(fs.readdirSync(join(spool.path, "subscriptions")), [`${me}~inbox`]);
});

test("request-reply.mjs gets an answer, a failure, and word that nobody is there", async (context) => {
  const spool = await PersonalSpool.make(context);
  const { stdout } = await runExample("request-reply.mjs", spool);
  assert.deepEqual(stdout.trim().split("\n"), [
    `${me} answers { quotient: 2 }`,
    `ERR_RESPONDER: ${me} could not answer math.divide: division by zero`,
    "ERR_NO_SUBSCRIPTION: cannot publish to math.root: nobody is subscribed, and the message is mandatory",
  ]);
});

test("direct-message.mjs: one process writes, another one answers", async (context) => {
  const spool = await PersonalSpool.make(context);
  const reader = runExample("direct-message.mjs", spool);
  await until(() => fs.existsSync(join(spool.path, "subscriptions", `${me}~inbox`, "consumer.json")));
  const writer = await runExample("direct-message.mjs", spool, `@${me}`, "please review");
  assert.equal(writer.stdout, `${me} answers { text: 'on it' }\n`);
  assert.match((await reader).stdout, new RegExp(`^${me} writes { text: 'please review' }$`, "m"));
});

test("every example is run by a test", () => {
  const programs = fs.readdirSync(examplesDir).filter((name) => name.endsWith(".mjs"));
  const here = fs.readFileSync(new URL("../../test/examples.test.ts", import.meta.url), "utf8");
  for (const name of programs) assert.ok(here.includes(`"${name}"`), `${name} is run by no test`);
});

test("the demo's transcript in README.md is what the demo prints, and nothing of it stays behind", async (context) => {
  const { scratchDir } = await PersonalSpool.make(context);
  const demo = startDemo(scratchDir);
  const [code] = (await once(demo.process, "close")) as [number | null];
  assert.equal(code, 0, demo.lines.join("\n"));
  const printed = new Set(demo.lines.map(shapeOf));
  const readme = fs.readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const transcript = /^<!-- npm run demo -->\n\n```\n([^]*?)^```$/m.exec(readme)?.[1] ?? "";
  assert.ok(transcript.split("\n").length > 20, "README.md has no transcript of the demo");
  for (const line of transcript.trimEnd().split("\n"))
    assert.ok(printed.has(shapeOf(line)), `the demo printed no line like: ${line}\n\n${demo.lines.join("\n")}`);
  assert.deepEqual(leftIn(scratchDir), []);
});

test("Ctrl-C ends the demo with all its processes and files", async (context) => {
  const { scratchDir } = await PersonalSpool.make(context);
  const demo = startDemo(scratchDir);
  await until(() => demo.lines.some((line) => line.includes("waits for commits")));
  // As a terminal does: to everybody in the process group.
  process.kill(-(demo.process.pid ?? 0), "SIGINT");
  await once(demo.process, "close");
  assert.equal(demo.process.exitCode, 130);
  assert.deepEqual(leftIn(scratchDir), []);
  assert.throws(() => process.kill(-(demo.process.pid ?? 0), 0), { code: "ESRCH" });
});

test("without the history of the repository, the demo says so and goes by a few commits that come with it", async (context) => {
  const { scratchDir } = await PersonalSpool.make(context);
  const copyDir = join(scratchDir, "unpacked");
  fs.cpSync(examplesDir, join(copyDir, "examples"), { recursive: true });
  for (const name of ["node_modules", "packages"])
    fs.symlinkSync(new URL(`../../${name}`, import.meta.url).pathname, join(copyDir, name));
  const demo = startDemo(scratchDir, join(copyDir, "examples"));
  await once(demo.process, "close");
  assert.equal(demo.process.exitCode, 0, demo.lines.join("\n"));
  assert.match(demo.lines.join(" ").replaceAll(/\s+/g, " "), /there is no \.git here: a few commits from/);
  assert.ok(demo.lines.some((line) => /commits without a remark/.test(line)));
});

function runExample(name: string, spool: PersonalSpool, ...args: string[]) {
  return run(process.execPath, [join(examplesDir, name), ...args], {
    env: { ...process.env, AGENTBUS_SPOOL: spool.path },
  });
}

/** Starts "demo.mjs" in a process group of its own. */
function startDemo(scratchDir: string, dir = examplesDir): { process: ChildProcess; lines: readonly string[] } {
  const temporaryDir = join(scratchDir, "tmp");
  fs.mkdirSync(temporaryDir);
  const child = spawn(process.execPath, [join(dir, "demo.mjs")], {
    env: { ...process.env, TMPDIR: temporaryDir },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  return { process: child, lines };
}

function leftIn(scratchDir: string): string[] {
  return fs.readdirSync(join(scratchDir, "tmp"));
}

/** A line of the transcript without what differs from run to run: times, commits, numbers, the account. */
function shapeOf(line: string): string {
  return line
    .trimEnd()
    .replace(/^(\d\d:\d\d:\d\d\.\d{3}  \S+ +)(\S+)( +)[\d.]+ (?:ms|s)  /, "$1<account> <latency>  ")
    .replace(/^\d\d:\d\d:\d\d\.\d{3}/, "<time>")
    .replace(/\b[0-9a-f]{7,12}\b/, "<commit>")
    .replace(/(^<commit>) .*/, "$1 <subject>")
    .replace(/^( +<commit>) .*/, "$1 <remarks>")
    .replace(/"(subject|remarks|commit)":.*/, "<data>")
    .replaceAll(/\d+(?:\.\d+)?/g, "<n>")
    .replace(/^( +)\S+ answers/, "$1<account> answers");
}
