// @ts-check
// Publishes the last commits of this repository, one after the other: the next when everybody is done with the one before.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { openBus } from "@agentbus/core";

const COMMITS = 6;
/** Slow enough to be followed. */
const PACE_MS = 150;
const root = new URL("../../", import.meta.url);

process.on("disconnect", () => process.exit());
const bus = await openBus();
const commits = readHistory();
let slowestMs = 0;
for (const commit of commits) {
  console.log(clip(`${commit.commit} ${commit.subject}`));
  await delay(PACE_MS);
  const published = performance.now();
  const { receipt } = await bus.publish("repo.commit", commit, { receipt: true, mandatory: true });
  await receipt?.acked({ timeoutMs: 10_000 });
  slowestMs = Math.max(slowestMs, performance.now() - published);
}
console.log(`all ${commits.length} acknowledged, each within ${slowestMs.toFixed(1)} ms`);
await bus.drain();
process.disconnect?.();

/** @param {string} line */
function clip(line) {
  return line.length > 32 ? `${line.slice(0, 31)}…` : line;
}

/** @returns {{ commit: string, subject: string, body: string }[]} the oldest first */
function readHistory() {
  if (!existsSync(new URL(".git", root))) return readSample("there is no .git here");
  try {
    const format = "--pretty=format:%h%x1f%s%x1f%b%x1e";
    const text = execFileSync("git", ["log", "--reverse", `-${COMMITS}`, format], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    const records = text.split("\x1e").map((record) => record.trim().split("\x1f"));
    const read = records.flatMap(([commit, subject, body = ""]) =>
      commit === undefined || subject === undefined ? [] : [{ commit, subject, body: body.trim() }],
    );
    return read.length > 0 ? read : readSample("git log is empty");
  } catch {
    return readSample("git log does not work here");
  }
}

/** @param {string} why */
function readSample(why) {
  console.log(`${why}: a few commits from examples/demo/commits.json instead`);
  return JSON.parse(readFileSync(new URL("commits.json", import.meta.url), "utf8"));
}
