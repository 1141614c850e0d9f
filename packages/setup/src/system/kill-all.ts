import fs from "node:fs";
import type { Machine } from "../machine.js";

const ROUNDS = 200;
const PAUSE_MS = 25;

/**
 * Kills every process of a uid, round after round until none is left: one that forks is faster than a list of processes, but not
 * than kill(-1), which a process of that uid sends to all of them at once.
 * @returns what is left, in words; "" when nothing is
 */
export async function killAll(
  machine: Machine,
  { name, uid, gid }: { name: string; uid: number; gid: number },
): Promise<string> {
  if (uid === 0) throw new RangeError("root's processes are not ours to kill");
  for (let round = 0; round < ROUNDS; round++) {
    const left = await processesOf(machine, uid);
    if (left.length === 0) return "";
    await machine.run(["sh", "-c", "kill -KILL -1"], { as: { name, uid, gid, home: "/" }, timeoutMs: 5_000 });
    // At its limit of processes no other can become it; then these are killed one by one.
    for (const pid of await processesOf(machine, uid)) kill(pid);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return `processes ${(await processesOf(machine, uid)).slice(0, 20).join(", ")} of uid ${uid} cannot be killed`;
}

/** Those that act as it, or could again: a process has a real, an effective and a saved uid. Dead ones that nobody has waited for do not count. */
export async function processesOf(machine: Machine, uid: number): Promise<number[]> {
  if (machine.flavour.platform === "darwin") {
    const { stdout } = await machine.run(["ps", "-axo", "pid=,uid=,ruid=,stat="]);
    return stdout.split("\n").flatMap((line) => {
      const [pid, effective, real, state = ""] = line.trim().split(/\s+/);
      return (Number(effective) === uid || Number(real) === uid) && !state.startsWith("Z") ? [Number(pid)] : [];
    });
  }
  return fs.readdirSync("/proc").flatMap((entry) => {
    if (!/^[0-9]+$/.test(entry)) return [];
    const status = statusOf(entry);
    const uids = /^Uid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/).map(Number) ?? [];
    return uids.includes(uid) && !/^State:\s+[ZX]/m.test(status) ? [Number(entry)] : [];
  });
}

function statusOf(pid: string): string {
  try {
    return fs.readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return ""; // It has ended.
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
