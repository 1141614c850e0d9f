import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { VERSION } from "#cli/version.js";
import { AGENTBUS, Sandbox } from "./support/sandbox.js";

const COMMANDS = [
  "publish",
  "subscribe",
  "unsubscribe",
  "tail",
  "request",
  "respond",
  "status",
  "dead",
  "doctor",
  "init",
  "setup",
  "bench",
];

test("help lists every command, and each command's help says what it is for, with examples", async (context) => {
  const sandbox = Sandbox.make(context);
  const { code, stdout, stderr } = await sandbox.run(["--help"]);
  assert.deepEqual([code, stderr], [0, ""]);
  for (const command of COMMANDS) assert.match(stdout, new RegExp(`^  ${command} +\\w`, "m"));
  for (const command of COMMANDS) {
    const help = await sandbox.run([command, "--help"]);
    assert.deepEqual([help.code, help.stderr], [0, ""], command);
    assert.match(help.stdout, new RegExp(`^Usage: agentbus ${command} `), command);
    assert.match(help.stdout, /Examples?:\n {2}(?:sudo |git log .* \| )?agentbus /, command);
    assert.match(help.stdout, /Global Options:\n {2}--spool <path>/, command);
    const widest = Math.max(...help.stdout.split("\n").map((line) => line.length));
    assert.ok(widest <= 100, `${command}: a line of ${widest} characters`);
    assert.equal((await sandbox.run(["help", command])).stdout, help.stdout);
  }
  assert.equal(fs.existsSync(sandbox.spool), false);
});

test("help that nobody reads on (| head) ends without a word", async (context) => {
  const sandbox = Sandbox.make(context);
  for (const words of [["--help"], ["help", "publish"], ["--version"]]) {
    const running = sandbox.start(words);
    running.child.stdout.destroy();
    const { code, stderr } = await running.ended;
    assert.deepEqual([code, stderr], [0, ""], words.join(" "));
  }
});

test("docs/cli.md is what it generates (node scripts/cli-doc.mjs)", async () => {
  const root = new URL("../../../../", import.meta.url);
  const { makePage } = (await import(new URL("scripts/cli-doc.mjs", root).href)) as { makePage: () => Promise<string> };
  assert.equal(fs.readFileSync(new URL("docs/cli.md", root), "utf8"), await makePage());
});

test("no command at all is a usage error that shows the help", async (context) => {
  const { code, stdout, stderr } = await Sandbox.make(context).run([]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /^Usage: agentbus /);
});

test("--version is the version of the package", async (context) => {
  const { stdout } = await Sandbox.make(context).run(["--version"]);
  const manifest = fs.readFileSync(fileURLToPath(new URL("../../package.json", import.meta.url)), "utf8");
  assert.equal((JSON.parse(manifest) as { version: string }).version, VERSION);
  assert.equal(stdout, `${VERSION}\n`);
});

test("a publish loads none of Node's modules that take long and that it does not need", async (context) => {
  const sandbox = Sandbox.make(context);
  await sandbox.run(["init"]);
  const spy = `${sandbox.dir}/spy.cjs`;
  const list = `process.moduleLoadList.filter((each) => each.startsWith("NativeModule ")).map((each) => each.slice(13))`;
  fs.writeFileSync(spy, `process.on("exit", () => require("fs").writeSync(2, JSON.stringify(${list})));`);
  const { spawnSync } = await import("node:child_process");
  const { stderr, status } = spawnSync(
    process.execPath,
    ["--require", spy, AGENTBUS, "publish", "hello", "1", "--json"],
    {
      env: sandbox.env,
      stdio: ["ignore", "pipe", "pipe"],
      encoding: "utf8",
    },
  );
  assert.equal(status, 0, stderr);
  const loaded = new Set(JSON.parse(stderr) as string[]);
  const slow = ["child_process", "crypto", "net", "stream", "perf_hooks", "readline", "fs/promises", "worker_threads"];
  assert.deepEqual(
    slow.filter((name) => loaded.has(name)),
    [],
  );
});
