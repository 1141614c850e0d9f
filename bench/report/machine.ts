import { execFileSync } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { cpus, loadavg, release, totalmem, type as kernelName } from "node:os";

/** Where and on what a number was measured: without it, the number says nothing. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  /** The checked-out commit, with "+changes" when files differ from it; null outside of a git repository. */
  readonly commit: string | null;
  /** Processes that wanted to run over the last minute: above 0 before a run, somebody else was at work. */
  readonly loadBefore: number;
}

export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${kernelName()} ${release()}`,
    node: process.versions.node,
    commit: commit(),
    loadBefore: loadavg()[0] ?? 0,
  };
}

/** "ext4", "tmpfs" …, by the longest mount point above; "unknown" where there is no /proc. */
export function filesystemOf(dir: string): string {
  try {
    const path = realpathSync(dir);
    const mounts = readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .map((line) => line.split(" "))
      .filter(([, point = ""]) => point === "/" || path === point || path.startsWith(`${point}/`));
    // Of two mounts on one point, the later one covers the earlier.
    return (
      mounts.reduce((best, mount) => ((mount[1] ?? "").length >= (best[1] ?? "").length ? mount : best))[2] ?? "unknown"
    );
  } catch {
    return "unknown";
  }
}

function commit(): string | null {
  try {
    const id = git("rev-parse", "--short=12", "HEAD");
    return git("status", "--porcelain", "--untracked-files=no") === "" ? id : `${id}+changes`;
  } catch {
    return null;
  }
}

function git(...words: string[]): string {
  return execFileSync("git", words, {
    cwd: import.meta.dirname,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
}
