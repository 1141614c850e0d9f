import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../main.js", import.meta.url));
const parentDir = mkdtempSync(join(tmpdir(), "agentbus-bench-test-"));
after(() => rmSync(parentDir, { recursive: true }));

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function bench(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

function recordsIn(stdout: string): Record<string, unknown>[] {
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test("a transport that loses messages is reported, and the bench fails", async () => {
  const { status, stdout } = await bench(["latency-500", "--quick", "--only", "lossy,raw-socket", "--dir", parentDir]);
  assert.equal(status, 1);
  assert.match(stdout, /\| lossy LOSSES /);
  assert.match(stdout, /\| raw-socket /);
});

test("the losses are in the record too, and a clean transport is called clean", async () => {
  const { stdout } = await bench(["throughput", "--quick", "--only", "lossy,spool", "--dir", parentDir, "--json"]);
  const records = recordsIn(stdout);
  const found = Object.fromEntries(records.map(({ transport, isClean, losses }) => [transport, { isClean, losses }]));
  assert.deepEqual(found, {
    // Every tenth of 100 that warm up and 500 that count.
    lossy: { isClean: false, losses: { lost: 60, reordered: 0, repeated: 0 } },
    spool: { isClean: true, losses: { lost: 0, reordered: 0, repeated: 0 } },
  });
});

test("a server that is not installed is reported with the command that installs it, and is no failure", async () => {
  const env = { ...process.env, PATH: parentDir };
  const only = ["--only", "spool,redis-pubsub"];
  const { status, stdout } = await bench(["latency-500", "--quick", ...only, "--dir", parentDir, "--json"], env);
  assert.equal(status, 0);
  const [spool, redis] = recordsIn(stdout);
  assert.equal(spool?.["transport"], "spool");
  assert.deepEqual(redis?.["missing"], { transport: "redis-pubsub", command: "apt-get install redis-server" });
});

test("alone it says what there is; what there is not is refused", async () => {
  const alone = await bench([]);
  assert.equal(alone.status, 0);
  assert.match(alone.stdout, /latency-500, .*latency-accounts/);
  for (const args of [["nonsense"], ["--quick"], ["idle", "--only", "nobody"], ["idle", "--rounds", "0"]]) {
    const { status, stderr } = await bench(args);
    assert.equal(status, 2, args.join(" "));
    assert.match(stderr, /usage: npm run bench/);
  }
});

test("it leaves nothing behind", () => {
  assert.deepEqual(readdirSync(parentDir), []);
});
