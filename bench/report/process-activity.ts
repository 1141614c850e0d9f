import { readdirSync, readFileSync } from "node:fs";

/** What a process has done since it began, as Linux counts it. */
export interface Activity {
  readonly cpuSeconds: number;
  /** How often any of its threads slept and was woken: voluntary context switches. */
  readonly wakeUps: number;
}

/** What the kernel counts by sched_clock, in nanoseconds; /proc/<pid>/stat has only hundredths of a second. */
export function activityOf(pid: number): Activity {
  const tasks = readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}`);
  const sum = (of: (taskDir: string) => number) => tasks.reduce((total, task) => total + of(task), 0);
  return {
    cpuSeconds: sum((task) => Number(readFileSync(`${task}/schedstat`, "latin1").split(" ")[0])) / 1e9,
    wakeUps: sum((task) => numberIn(readFileSync(`${task}/status`, "latin1"), "voluntary_ctxt_switches")),
  };
}

/** The largest resident size that a process has had, in MiB; NaN where there is no /proc. */
export function peakRssMiB(pid: number): number {
  if (process.platform !== "linux") return NaN;
  return numberIn(readFileSync(`/proc/${pid}/status`, "latin1"), "VmHWM") / 1_024;
}

function numberIn(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? NaN);
}
