import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { attempt, type Attempt } from "./attempt.js";

let lent: ChildProcess | undefined;

/**
 * Starts an ordinary process of this account, for others to try themselves on. This one would not do: the kernel protects what has
 * changed its account. It ends with this one, when its standard input does.
 * @returns its pid
 */
export async function lendProcess(secret: string): Promise<number> {
  if (lent?.pid !== undefined && lent.exitCode === null && lent.signalCode === null) return lent.pid;
  const child = spawn("/bin/cat", { stdio: ["pipe", "pipe", "ignore"], cwd: "/", env: { AGENTBUS_VERIFY: secret } });
  lent = child;
  child.on("error", () => undefined);
  // It answers, so it is cat(1) by now, and no copy of this process any more.
  child.stdin.write("ready\n");
  await once(child.stdout, "data");
  return child.pid ?? 0;
}

export function endLentProcess(): void {
  lent?.kill("SIGKILL");
}

/** Signal 0 does nothing, and is refused like any other (kill(2)). */
export function trySignalling(pids: readonly number[]): Attempt[] {
  return pids.map((pid) => attempt(`process ${pid}`, () => process.kill(requirePid(pid), 0)));
}

/**
 * What proc(5) tells of a process. Opening `mem` asks the kernel exactly what ptrace(2) asks when it attaches, and does nothing
 * else; the others ask what reading through ptrace(2) does.
 */
export function tryReadingProcesses(pids: readonly number[]): Attempt[] {
  return pids.flatMap((pid) => {
    const dir = `/proc/${requirePid(pid)}`;
    return [
      attempt(`${dir}/environ`, () => fs.closeSync(fs.openSync(`${dir}/environ`, "r"))),
      attempt(`${dir}/mem`, () => fs.closeSync(fs.openSync(`${dir}/mem`, "r"))),
      attempt(`${dir}/fd`, () => fs.readdirSync(`${dir}/fd`)),
      attempt(`${dir}/cwd`, () => fs.readlinkSync(`${dir}/cwd`)),
    ];
  });
}

function requirePid(pid: number): number {
  if (!Number.isSafeInteger(pid) || pid <= 0) throw new TypeError(`${pid} is not a process`);
  return pid;
}
