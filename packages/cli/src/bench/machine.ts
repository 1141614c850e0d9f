import { readFileSync } from "node:fs";
import { cpus, loadavg, release, type as kernelName } from "node:os";
import { VERSION } from "../version.js";

/** On what a number was measured: without it, the number says nothing. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly kernel: string;
  /** Of the directory that was measured in; "unknown" where there is no /proc. */
  readonly filesystem: string;
  readonly node: string;
  readonly agentbus: string;
  /** Processes that wanted to run over the last minute: much above 0 before a run, somebody else was at work. */
  readonly loadBefore: number;
}

/** @param dir without symbolic links */
export function describeMachine(dir: string): Machine {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    kernel: `${kernelName()} ${release()}`,
    filesystem: filesystemOf(dir),
    node: process.versions.node,
    agentbus: VERSION,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

/** The type of the longest mount point above; of two mounts on one point, the later one covers the earlier. */
function filesystemOf(dir: string): string {
  let longest = 0;
  let found = "unknown";
  for (const line of mounts()) {
    const [, point = "", type = ""] = line.split(" ");
    const isAbove = point === "/" || `${dir}/`.startsWith(`${point}/`);
    if (isAbove && point.length >= longest) [longest, found] = [point.length, type];
  }
  return found;
}

/** proc_pid_mounts(5): "/dev/vda /var ext4 rw 0 0". */
function mounts(): string[] {
  try {
    return readFileSync("/proc/self/mounts", "utf8").split("\n");
  } catch {
    return [];
  }
}
