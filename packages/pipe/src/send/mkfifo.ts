import { spawn } from "node:child_process";
import { BusError } from "@agentbus/core";

/** mkfifo(1) of coreutils, of macOS, of busybox, of NixOS. Node has no mkfifo(2), and an addon would need a compiler. */
const PROGRAMS = ["/usr/bin/mkfifo", "/bin/mkfifo", "/run/current-system/sw/bin/mkfifo"] as const;
const MODE = "0640";
const MAX_COMPLAINT = 500;

/**
 * Makes a FIFO by mkfifo(1): by its absolute path, without a shell, a path or anything else of this process's environment.
 * @param path absolute, in a directory of this account's own @throws BusError ERR_PLATFORM, ERR_IO
 */
export async function mkfifo(path: string, programs: readonly string[] = PROGRAMS): Promise<void> {
  for (const program of programs) if (await run(program, path)) return;
  throw new BusError("ERR_PLATFORM", `cannot make a pipe: there is no mkfifo at ${programs.join(" or ")}`, {
    path,
    fix: "install coreutils: apt-get install coreutils, apk add coreutils",
  });
}

/** @returns false when there is no such program */
function run(program: string, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ["-m", MODE, path], { cwd: "/", env: {}, stdio: ["ignore", "ignore", "pipe"] });
    let complaint = "";
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => {
      complaint = (complaint + text).slice(0, MAX_COMPLAINT);
    });
    child.on("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code === "ENOENT") resolve(false);
      else reject(failed(path, `${program}: ${cause.code ?? cause.message}`, cause));
    });
    child.on("close", (code, signal) => {
      if (code === 0) resolve(true);
      // After "error" this is too late to count.
      else reject(failed(path, complaint.trim() || `${program} ended with ${code ?? signal}`));
    });
  });
}

function failed(path: string, why: string, cause?: unknown): BusError {
  return new BusError("ERR_IO", `cannot make a pipe at ${path}: ${why}`, { path, cause, fix: "agentbus doctor" });
}
