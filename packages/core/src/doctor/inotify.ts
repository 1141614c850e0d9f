import fs from "node:fs";
import type { Machine } from "./examined.js";
import { finding, type Finding } from "./finding.js";
import { readSysctl, setSysctl } from "./proc.js";

const CHECK = "inotify";
/** Below these the limit is soon reached by editors and language servers alone. */
const FEW_INSTANCES = 128;
const FEW_WATCHES = 8_192;
const FEW_EVENTS = 1_024;
const GENEROUS = { instances: 1_024, watches: 524_288, events: 16_384 } as const;
/** Looking at more processes than this would take longer than it is worth. */
const MAX_PROCESSES = 2_000;

/**
 * The limits of inotify(7), which are an account's, not a process's. Every process that subscribes takes one instance, and every
 * subscription a few watches; without them agentbus polls.
 */
export function examineInotify(machine: Machine): Finding[] {
  if (machine.platform !== "linux") return [];
  return [...examineInstances(machine), ...examineLimits(machine)];
}

function examineInstances(machine: Machine): Finding[] {
  const limit = readSysctl(machine, "fs.inotify.max_user_instances");
  if (limit === undefined) return [];
  const fix = setSysctl("fs.inotify.max_user_instances", GENEROUS.instances);
  const used = countInstances(machine);
  const usage = `this account uses ${used} of its ${limit} inotify instances`;
  if (used >= limit * 0.8) {
    return [finding("warning", CHECK, `${usage}: when they run out, subscribers poll instead of being woken`, { fix })];
  }
  if (limit < FEW_INSTANCES) return [finding("warning", CHECK, `${usage}, which is a low limit`, { fix })];
  return [finding("info", CHECK, usage)];
}

function examineLimits(machine: Machine): Finding[] {
  const findings: Finding[] = [];
  const watches = readSysctl(machine, "fs.inotify.max_user_watches");
  if (watches !== undefined && watches < FEW_WATCHES) {
    const message = `an account may watch ${watches} directories: when they run out, subscribers poll instead of being woken`;
    findings.push(
      finding("warning", CHECK, message, { fix: setSysctl("fs.inotify.max_user_watches", GENEROUS.watches) }),
    );
  }
  const events = readSysctl(machine, "fs.inotify.max_queued_events");
  if (events !== undefined && events < FEW_EVENTS) {
    const message = `${events} events may wait for a busy subscriber: more are dropped, and found only when it looks again by itself`;
    findings.push(finding("info", CHECK, message, { fix: setSysctl("fs.inotify.max_queued_events", GENEROUS.events) }));
  }
  return findings;
}

/** Those of this account's processes; what others hold cannot be seen, and is not counted against it. */
function countInstances({ procDir }: Machine): number {
  const pids = namesIn(procDir).filter((name) => /^\d+$/.test(name));
  let count = 0;
  for (const pid of pids.slice(-MAX_PROCESSES)) {
    const fdDir = `${procDir}/${pid}/fd`;
    if (!isOurs(`${procDir}/${pid}`)) continue;
    count += namesIn(fdDir).filter((fd) => leadsToInotify(`${fdDir}/${fd}`)).length;
  }
  return count;
}

function isOurs(path: string): boolean {
  try {
    return fs.statSync(path).uid === process.geteuid?.();
  } catch {
    return false;
  }
}

function leadsToInotify(path: string): boolean {
  try {
    return fs.readlinkSync(path) === "anon_inode:inotify";
  } catch {
    return false;
  }
}

function namesIn(dir: string): string[] {
  try {
    return fs.readdirSync(dir);
  } catch {
    return [];
  }
}
