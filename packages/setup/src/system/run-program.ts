import { spawn } from "node:child_process";
import { constants } from "node:os";
import type { RunOptions, RunResult } from "../machine.js";

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const TIMEOUT_MS = 120_000;
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;
const NOT_FOUND = 127;

/**
 * Runs a program to its end: without a shell, a terminal or anything of our environment, in a session of its own. A program that
 * runs as an agent can therefore neither type into the administrator's terminal nor inherit what root holds; that it has only
 * the agent's own group is libuv's doing, which drops the others (uv_spawn, UV_PROCESS_SETUID).
 */
export function runProgram(
  argv: readonly string[],
  { as, input = "", timeoutMs = TIMEOUT_MS }: RunOptions = {},
): Promise<RunResult> {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, {
    cwd: "/",
    detached: true,
    env: {
      PATH,
      LC_ALL: "C",
      ...(as === undefined ? { HOME: "/root" } : { HOME: as.home, USER: as.name, LOGNAME: as.name }),
    },
    stdio: ["pipe", "pipe", "pipe"],
    ...(as === undefined ? {} : { uid: as.uid, gid: as.gid }),
  });
  return new Promise((resolve) => {
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    let failure = "";
    const timer = setTimeout(() => {
      failure = `${program} did not end within ${timeoutMs / 1000} s`;
      killGroup(child.pid);
      // What it started may have left its group and hold the pipes: nobody waits for that.
      child.stdout.destroy();
      child.stderr.destroy();
    }, timeoutMs);
    const finish = (status: number) => {
      clearTimeout(timer);
      resolve({ status, stdout: stdout.text(), stderr: failure || stderr.text() });
    };
    child.on("error", (error: NodeJS.ErrnoException) => {
      failure = `cannot run ${program}: ${error.code ?? error.message}`;
      finish(NOT_FOUND);
    });
    child.on("close", (code, signal) => finish(code ?? 128 + (constants.signals[signal ?? "SIGKILL"] ?? 0)));
    child.stdin.on("error", () => undefined).end(input);
  });
}

/** Bounded: what is too much is dropped, so that nobody's output fills the memory. */
function collect(stream: NodeJS.ReadableStream): { text: () => string } {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => {
    if (bytes < MAX_OUTPUT_BYTES) chunks.push(chunk);
    bytes += chunk.length;
  });
  return { text: () => Buffer.concat(chunks).toString("utf8") };
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended just now.
  }
}
