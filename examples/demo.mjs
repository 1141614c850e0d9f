// @ts-check
// npm run demo: three agents at work, and a look over their shoulders. Four real processes on a spool of their own in a
// temporary directory, which is removed at the end, also after Ctrl-C.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createSpool } from "@agentbus/core";

const AGENTS = ["historian", "reviewer", "reporter"];
const COLUMN_WIDTH = 34;
const PAGE_WIDTH = COLUMN_WIDTH * AGENTS.length + 10;
/** Longer than the demo takes; whatever is wrong, nothing of it stays. In milliseconds. */
const AT_MOST_MS = 60_000;

const stop = new AbortController();
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.on(signal, () => stop.abort());
const timer = setTimeout(() => stop.abort(), AT_MOST_MS);

const scratchDir = await mkdtemp(join(tmpdir(), "agentbus-demo-"));
const spoolDir = join(scratchDir, "spool");
/** @type {import("node:child_process").ChildProcess[]} */
const processes = [];
try {
  await play();
} catch (error) {
  if (!stop.signal.aborted) console.error(error);
  process.exitCode = stop.signal.aborted ? 130 : 1;
} finally {
  clearTimeout(timer);
  await Promise.all(processes.map((child) => end(child, "SIGKILL")));
  await rm(scratchDir, { recursive: true, force: true });
}

async function play() {
  await createSpool({ spool: spoolDir, env: {} });
  console.log(
    AGENTS.map((name) => name.padEnd(COLUMN_WIDTH))
      .join("")
      .trimEnd(),
  );
  console.log(
    AGENTS.map((name) => "─".repeat(name.length).padEnd(COLUMN_WIDTH))
      .join("")
      .trimEnd(),
  );

  const tail = start(agentbusPath(), ["tail", "--timeout", "60s"]);
  const seen = linesOf(tail);
  // From the moment that its subscription is there, it sees everything.
  while ((await readdir(join(spoolDir, "subscriptions"))).every((name) => !name.includes("~tmp-"))) {
    if (tail.exitCode !== null) throw new Error("agentbus tail failed");
    await delay(10, undefined, { signal: stop.signal });
  }

  const reviewer = agent("reviewer");
  await reviewer.saysSomething;
  await agent("historian").ended;
  await agent("reporter").ended;
  await end(reviewer.process, "SIGTERM");
  await end(tail, "SIGINT");

  console.log("\nMeanwhile, `agentbus tail` in another window:\n");
  for (const line of seen) console.log(line.length > PAGE_WIDTH ? `${line.slice(0, PAGE_WIDTH - 1)}…` : line);
}

/** Starts an agent, whose words go into its column. @param {string} name */
function agent(name) {
  const child = start(fileURLToPath(new URL(`demo/${name}.mjs`, import.meta.url)), []);
  const indent = " ".repeat(AGENTS.indexOf(name) * COLUMN_WIDTH);
  const { promise: saysSomething, resolve: speak } = withResolvers();
  linesOf(child, (line) => {
    for (const part of wrap(line)) console.log(indent + part);
    speak();
  });
  const ended = once(child, "close", { signal: stop.signal }).then(([code]) => {
    if (code !== 0) throw new Error(`the ${name} failed`);
  });
  ended.catch(speak);
  return { process: child, saysSomething, ended };
}

/** @param {string} path @param {string[]} args */
function start(path, args) {
  const child = spawn(process.execPath, [path, ...args], {
    env: { ...process.env, AGENTBUS_SPOOL: spoolDir },
    // The channel tells an agent when the demo is gone.
    stdio: ["ignore", "pipe", "inherit", ...(args.length === 0 ? /** @type {const} */ (["ipc"]) : [])],
  });
  processes.push(child);
  return child;
}

/** What a process writes, line by line. @param {import("node:child_process").ChildProcess} child @param {(line: string) => void} [onLine] */
function linesOf(child, onLine) {
  /** @type {string[]} */
  const lines = [];
  if (child.stdout !== null)
    createInterface({ input: child.stdout }).on("line", (line) => (lines.push(line), onLine?.(line)));
  return lines;
}

/** @param {import("node:child_process").ChildProcess} child @param {NodeJS.Signals} signal */
async function end(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "close");
  child.kill(signal);
  await ended;
}

/** @param {string} line */
function wrap(line) {
  const width = COLUMN_WIDTH - 2;
  /** @type {string[]} */
  const parts = [];
  for (const word of line.split(" ")) {
    const last = parts.at(-1);
    if (last !== undefined && `${last} ${word}`.length <= width) parts[parts.length - 1] = `${last} ${word}`;
    else parts.push(last === undefined ? word : `  ${word}`);
  }
  return parts;
}

/** The command, as npm would link it. */
function agentbusPath() {
  const require = createRequire(import.meta.url);
  const packagePath = require.resolve("@agentbus/cli/package.json");
  /** @type {{ bin: { agentbus: string } }} */
  const { bin } = require(packagePath);
  return join(dirname(packagePath), bin.agentbus);
}

function withResolvers() {
  /** @type {() => void} */
  let resolve = () => undefined;
  /** @type {Promise<void>} */
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}
