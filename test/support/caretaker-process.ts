// Makes what only root can make for a test, and takes all of it away again: when it is told to, or when the test's process is
// gone, whatever ended it. It runs in a session of its own, so that Ctrl-C and a test runner's signal do not reach it.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import type { Chore, ChoreResult } from "./caretaker.js";
import { holdStrictSysctls, releaseStrictSysctls } from "./sysctls.js";

const made: (() => void)[] = [];
let isDone = false;

process.on("message", ({ id, chore }: { id: number; chore: Chore }) => {
  const answer = attempt(() => perform(chore));
  process.send?.({ id, ...answer }, () => {
    if (chore.do === "end") process.disconnect();
  });
});
process.on("disconnect", () => takeAway());
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => undefined);

function perform(chore: Chore): ChoreResult {
  switch (chore.do) {
    case "hold sysctls":
      made.push(() => releaseStrictSysctls(process.pid));
      holdStrictSysctls(process.pid);
      return {};
    case "add group":
      made.push(() => command("groupdel", chore.name));
      command("groupadd", chore.name);
      return {};
    case "add user":
      return addUser(chore.name, chore.groups, chore.uid);
    case "delete user":
      killAllOf(uidOf(chore.name));
      command("userdel", chore.name);
      return {};
    case "make directory": {
      const dir = fs.realpathSync(fs.mkdtempSync(chore.prefix));
      // rm(1), which knows no names that are not UTF-8.
      made.push(() => command("rm", "--recursive", "--force", "--one-file-system", dir));
      fs.chmodSync(dir, 0o755);
      return { dir };
    }
    case "mount tmpfs":
      command("mount", "-t", "tmpfs", "-o", chore.options, "tmpfs", chore.dir);
      made.push(() => command("umount", chore.dir));
      return {};
    case "end":
      takeAway();
      return {};
  }
}

function addUser(name: string, groups: readonly string[], uid: number | undefined): ChoreResult {
  made.push(() => {
    if (!exists(name)) return;
    killAllOf(uidOf(name));
    command("userdel", name);
  });
  const options = ["--no-create-home", "--home-dir", "/nonexistent", "--user-group", "--shell", "/bin/sh"];
  const supplementary = groups.length > 0 ? ["--groups", groups.join(",")] : [];
  const number = uid === undefined ? [] : ["--uid", String(uid)];
  command("useradd", ...options, ...supplementary, ...number, name);
  return { uid: uidOf(name), gid: Number(output("id", "-g", name)) };
}

function takeAway(): void {
  if (isDone) return;
  isDone = true;
  // The latest first: processes before their accounts, accounts before their groups.
  for (const undo of made.splice(0).reverse()) {
    const { error } = attempt(() => (undo(), {}));
    if (error !== undefined) process.exitCode = 1;
  }
}

function attempt(action: () => ChoreResult): { result?: ChoreResult; error?: string } {
  try {
    return { result: action() };
  } catch (error) {
    process.stderr.write(`caretaker: ${(error as Error).message}\n`);
    return { error: (error as Error).message };
  }
}

/** The accounts are ours alone, and so is whatever runs under them. */
function killAllOf(uid: number): void {
  for (let attempts = 0; attempts < 100; attempts++) {
    const pids = fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isLiveProcessOf(name, uid));
    if (pids.length === 0) return;
    for (const pid of pids) kill(Number(pid));
    pause(20);
  }
}

function isLiveProcessOf(pid: string, uid: number): boolean {
  try {
    const status = fs.readFileSync(`/proc/${pid}/status`, "latin1");
    return new RegExp(`^Uid:.*\\t${uid}(?:\\t|$)`, "m").test(status) && !/^State:\s+[ZX]/m.test(status);
  } catch {
    return false;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    return; // it was faster
  }
}

function exists(name: string): boolean {
  return spawnSync("id", ["-u", name]).status === 0;
}

function uidOf(name: string): number {
  return Number(output("id", "-u", name));
}

/** 1: another useradd, userdel … holds the lock of /etc/passwd. 32: a process that ends has files open in what is unmounted. */
const BUSY_STATUS: Readonly<Record<string, number>> = { useradd: 1, userdel: 1, groupadd: 1, groupdel: 1, umount: 32 };

function command(name: string, ...args: string[]): void {
  for (let attempts = 0; ; attempts++) {
    const { status, stderr } = spawnSync(name, args, { encoding: "utf8" });
    if (status === 0) return;
    const isBusy = status === BUSY_STATUS[name] && attempts < 100;
    if (!isBusy) throw new Error(`${name} ${args.join(" ")}: ${status} ${stderr}`);
    pause(50);
  }
}

function output(name: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(name, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${name} ${args.join(" ")}: ${status} ${stderr}`);
  return stdout.trim();
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
