import fs from "node:fs";
import { processExists } from "./process-exists.js";

/** Who consumes a subscription: enough to tell, from any account, whether that process still runs. */
export interface Presence {
  readonly user: string;
  /** Names one open bus; random. */
  readonly token: string;
  readonly pid: number;
  /** Clock ticks from boot to the start of the process (proc(5), `stat` field 22); null where unknown. */
  readonly startTime: string | null;
  /** `/proc/sys/kernel/random/boot_id`; null where unknown. */
  readonly bootId: string | null;
  /** `/proc/self/ns/pid`, such as "pid:[4026531836]"; null where unknown. */
  readonly pidNamespace: string | null;
  /** RFC 3339. */
  readonly startedAt: string;
  /** The queues and the shared subscriptions that it consumes, such as "queue:work": for people who look. @default none */
  readonly consumes?: readonly string[];
}

/** A heartbeat older than this is a stopped one, in milliseconds. It only counts where the pid means nothing. */
const HEARTBEAT_STALE_MS = 10_000;

export function describeSelf(user: string, token: string): Presence {
  return {
    user,
    token,
    pid: process.pid,
    startTime: processState("self")?.startTime ?? null,
    ...machine(),
    startedAt: new Date().toISOString(),
  };
}

/**
 * Whether the process of a presence still runs. In the same pid namespace the kernel knows at once; elsewhere (a container that
 * shares the spool) only the age of its heartbeat tells, in milliseconds, `undefined` when there is none.
 */
export function isAlive(presence: Presence, heartbeatAgeMs: () => number | undefined): boolean {
  const here = machine();
  if (presence.bootId !== null && here.bootId !== null && presence.bootId !== here.bootId) return false;
  if (presence.pidNamespace !== here.pidNamespace) {
    const age = heartbeatAgeMs();
    return age !== undefined && age < HEARTBEAT_STALE_MS;
  }
  return isRunning(presence);
}

function isRunning({ pid, startTime }: Presence): boolean {
  if (pid === process.pid) {
    const own = processState("self")?.startTime;
    // Unreadable without a descriptor: a process that asks is not dead.
    return startTime === null || own === undefined || own === startTime;
  }
  if (!processExists(pid)) return false;
  const state = processState(pid);
  // Unreadable under hidepid, or without a descriptor: the pid has to do.
  if (state === undefined) return true;
  return !state.isZombie && (startTime === null || state.startTime === startTime);
}

/** A zombie is a dead process whose parent has not asked for it yet; kill(2) still finds it. */
function processState(pid: number | "self"): { startTime: string; isZombie: boolean } | undefined {
  let text: string;
  try {
    text = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // Field 2 is the program's name in parentheses, and may itself hold parentheses and spaces.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const startTime = fields[19];
  return startTime === undefined ? undefined : { startTime, isZombie: fields[0] === "Z" || fields[0] === "X" };
}

type Machine = Pick<Presence, "bootId" | "pidNamespace">;
let known: Machine | undefined;

/** Facts that cannot change while this process runs, so they are read once. */
function machine(): Machine {
  return (known ??= {
    bootId: readOr(() => fs.readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()),
    pidNamespace: readOr(() => fs.readlinkSync("/proc/self/ns/pid")),
  });
}

function readOr(read: () => string): string | null {
  try {
    return read();
  } catch {
    return null;
  }
}
