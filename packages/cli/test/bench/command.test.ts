import assert from "node:assert/strict";
import { fork } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { AGENTBUS, onlyJson, Sandbox, until, type Running } from "../support/sandbox.js";

const NEEDS_PROC = fs.existsSync("/proc/self/stat") ? false : "needs /proc, to find a process's children";

test("a bench measures everything on a machine where nothing is set up, loses nothing and leaves nothing", async (context) => {
  const sandbox = Sandbox.make(context);
  const dir = emptyDirIn(sandbox);
  const { code, stdout, stderr } = await sandbox.run(["bench", "--seconds", "2", "--json", "--dir", dir]);
  assert.deepEqual([code, stderr], [0, ""]);
  const result = onlyJson(stdout) as unknown as ShownResult;
  assert.equal(result.dir, fs.realpathSync(dir));
  assert.equal(result.isClean, true);
  for (const [transport, { sent, ...wrong }] of Object.entries(result.check)) {
    assert.deepEqual(wrong, { lost: 0, repeated: 0, reordered: 0 }, transport);
    assert.ok(sent > 0, transport);
  }
  const { rounds, messagesPerRound } = result.configuration;
  for (const [transport, measured] of Object.entries(result.latency)) {
    const { p50Us, p90Us, p99Us, maxUs, histogram } = measured;
    assert.ok(p50Us > 0 && p50Us <= p90Us && p90Us <= p99Us && p99Us <= maxUs, transport);
    assert.equal(measured.rounds.length, rounds, transport);
    assert.equal(
      histogram.reduce((sum, { count }) => sum + count, 0),
      rounds * messagesPerRound,
      transport,
    );
  }
  assert.ok(result.ratio.p50 > 0 && result.throughput.perSecond > 0);
  assert.ok(result.awaited.perSecond > 0 && result.request.perSecond > 0);
  assert.deepEqual(fs.readdirSync(dir), []);
  assert.equal(fs.existsSync(sandbox.spool), false);
});

test("for people a bench draws what it has measured, in plain characters where there are no others", async (context) => {
  const sandbox = Sandbox.make(context);
  const args = ["bench", "--seconds", "2", "--dir", emptyDirIn(sandbox)];
  const { code, stdout } = await sandbox.run(args, { env: { LC_ALL: "C" } });
  assert.equal(code, 0);
  assert.match(stdout, /^.+, \d+ cores, .+ Node [\d.]+, agentbus [\d.]+\n/);
  assert.match(stdout, /^ *\d+-\d+ +\d+ +#+$/m);
  assert.match(stdout, /^spool +\d+ +\d+ +\d+ +\d+$/m);
  assert.match(stdout, /^spool: lost 0, repeated 0, reordered 0, of \d+ messages$/m);
  assert.match(stdout, /^[\x20-\x7e\n]+$/);
});

test("a bench works beside the user's spool, and does not touch it", async (context) => {
  const sandbox = Sandbox.make(context);
  await sandbox.run(["init"]);
  const before = treeOf(sandbox.spool);
  const beside = join(sandbox.spool, "..");
  const running = sandbox.start(["bench", "--seconds", "2", "--json"]);
  await until(
    () => fs.readdirSync(beside).length === 2,
    () => running.describe(),
  );
  const { code, stdout } = await running.ended;
  assert.deepEqual([code, onlyJson(stdout)["dir"]], [0, fs.realpathSync(beside)]);
  assert.deepEqual(fs.readdirSync(beside), ["personal"]);
  assert.deepEqual(treeOf(sandbox.spool), before);
});

test("Ctrl-C leaves neither a directory nor a process of a bench", { skip: NEEDS_PROC }, async (context) => {
  const sandbox = Sandbox.make(context);
  const dir = emptyDirIn(sandbox);
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    const { running, children } = await startMeasuring(sandbox, dir);
    running.signal(signal);
    assert.equal((await running.ended).code, code);
    assert.deepEqual(fs.readdirSync(dir), []);
    await until(() => !children.some(isRunning));
  }
});

test("the receiving ends of a bench end with it, also when it is killed", { skip: NEEDS_PROC }, async (context) => {
  const sandbox = Sandbox.make(context);
  const { running, children } = await startMeasuring(sandbox, emptyDirIn(sandbox));
  running.signal("SIGKILL");
  await running.ended;
  await until(() => !children.some(isRunning));
});

test("a bench whose receiving end dies says so, and leaves nothing", { skip: NEEDS_PROC }, async (context) => {
  const sandbox = Sandbox.make(context);
  const dir = emptyDirIn(sandbox);
  const { running, children } = await startMeasuring(sandbox, dir);
  process.kill(children[0] ?? 0, "SIGKILL");
  const { code, stdout, stderr } = await running.ended;
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(
    stderr,
    /^ERR_IO: cannot go on measuring: the process that receives from the \w+ ended early \(SIGKILL\)\n {2}fix: /,
  );
  assert.deepEqual(fs.readdirSync(dir), []);
  await until(() => !children.some(isRunning));
});

test("a receiving end tells what it fails with, as the bus said it", async (context) => {
  const dir = emptyDirIn(Sandbox.make(context));
  const end = fork(AGENTBUS, ["bench", "--end", "spool", "--dir", dir]);
  const word = await new Promise<Record<string, unknown>>((resolve) => end.once("message", resolve));
  end.disconnect();
  assert.deepEqual([word["kind"], word["code"]], ["failed", "ERR_SPOOL_NOT_FOUND"]);
  assert.match(String(word["message"]), /cannot use .+ as a spool/);
});

test("what cannot be measured is refused, with what to write instead", async (context) => {
  const sandbox = Sandbox.make(context);
  const file = join(sandbox.dir, "file");
  fs.writeFileSync(file, "");
  const deep = join(sandbox.dir, "d".repeat(100));
  fs.mkdirSync(deep);
  await sandbox.run(["init"]);
  const refused: readonly (readonly [readonly string[], RegExp])[] = [
    [["--seconds", "0"], /a whole number from 2 to 600.+\n {2}fix: agentbus bench --help/],
    [["--seconds", "1.5"], /a whole number/],
    [["--dir", "/nonexistent"], /in \/nonexistent: ENOENT.+\n {2}fix: agentbus bench --dir DIR/],
    [["--dir", file], /ENOTDIR/],
    [["--dir", deep], /too long for that of a socket/],
    [["--dir", sandbox.spool], /inside of the spool/],
    [["--dir", join(sandbox.spool, "run")], /inside of the spool/],
    [["--end", "spool", "--dir", sandbox.dir], /what agentbus bench starts itself with\n {2}fix: agentbus bench/],
  ];
  for (const [args, message] of refused) {
    const { code, stdout, stderr } = await sandbox.run(["bench", ...args]);
    assert.deepEqual([code, stdout], [2, ""], args.join(" "));
    assert.match(stderr, message);
  }
  const { code, stderr } = await sandbox.run(["bench", "--group", "no-such-group"]);
  assert.deepEqual([code, stderr.startsWith("ERR_SPOOL_NOT_FOUND: ")], [1, true]);
});

interface ShownDistribution {
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

/** What people may rely on; written out, so that a change of it is seen. */
interface ShownResult {
  readonly dir: string;
  readonly isClean: boolean;
  readonly configuration: { readonly rounds: number; readonly messagesPerRound: number };
  readonly latency: Readonly<
    Record<
      "spool" | "socket",
      ShownDistribution & {
        readonly rounds: readonly ShownDistribution[];
        readonly histogram: readonly { readonly count: number }[];
      }
    >
  >;
  readonly ratio: { readonly p50: number };
  readonly throughput: { readonly perSecond: number };
  readonly awaited: { readonly perSecond: number };
  readonly request: { readonly perSecond: number };
  readonly check: Readonly<Record<"spool" | "socket", { readonly sent: number }>>;
}

function emptyDirIn({ dir }: Sandbox): string {
  const empty = join(dir, "empty");
  fs.mkdirSync(empty);
  return empty;
}

/** Starts a long one, and waits until messages pass. */
async function startMeasuring(sandbox: Sandbox, dir: string): Promise<{ running: Running; children: number[] }> {
  const running = sandbox.start(["bench", "--seconds", "60", "--dir", dir]);
  // What its receiving end has claimed stays there for as long as it grows.
  const isUnderWay = () =>
    namesIn(dir).some((bench) => {
      const subscriptions = join(dir, bench, "spool/subscriptions");
      return namesIn(subscriptions).some(
        (name) => name.endsWith("~bench") && namesIn(join(subscriptions, name, "cur")).length > 0,
      );
    });
  await until(isUnderWay, () => running.describe());
  return { running, children: childrenOf(running.child.pid ?? 0) };
}

/** Of a directory that may come or go at any moment. */
function namesIn(dir: string): string[] {
  try {
    return fs.readdirSync(dir);
  } catch {
    return [];
  }
}

function childrenOf(pid: number): number[] {
  const pids = fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((each) => statOf(each)?.[1] === String(pid));
}

/** A zombie has ended. */
function isRunning(pid: number): boolean {
  return !["Z", "X", undefined].includes(statOf(pid)?.[0]);
}

/** proc_pid_stat(5), from the state on: "… (node) S 42 …". */
function statOf(pid: number): string[] | undefined {
  try {
    return fs
      .readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
  } catch {
    return undefined;
  }
}

/** All there is, with the time of its last change. */
function treeOf(dir: string): string[] {
  const names = fs.readdirSync(dir, { recursive: true, encoding: "utf8" }).sort();
  return ["", ...names].map((name) => `${name} ${fs.lstatSync(join(dir, name)).ctimeMs}`);
}
