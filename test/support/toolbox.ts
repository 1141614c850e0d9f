// What code that runs as another account finds in its hands (person.ts). Everything is loaded before the account is changed:
// it need not be able to read this repository.
import "chokidar";
import "proper-lockfile";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { deadLetters, diagnose, inspect } from "@agentbus/core";
import "@agentbus/pipe";
import { openClient } from "@agentbus/socket";
import "ajv/dist/2020.js";
import type { Bus } from "#core/bus.js";
import { createBus } from "#core/open-bus.js";
import { NameSource } from "#core/message-name.js";

// Has it load koffi, before there is anything that it could do.
await openClient({ findUid: async () => undefined } as never, "@nobody/at-all", {} as never).catch(() => undefined);

export { createBus, deadLetters, delay, diagnose, inspect, fs, join, net, spawn, spawnSync };
export type { Bus, ChildProcess };

const names = new NameSource();

/** Survives from one task to the next. */
export const keep: {
  bus?: Bus;
  [name: string]: unknown;
} = {};

/** An open bus, the same for all tasks of this person. */
export async function openedBus(spool: string): Promise<Bus> {
  return (keep.bus ??= await createBus({ spool, rescanMs: 50 }));
}

export function ulid(): string {
  return names.ulid();
}

/** The ULIDs that a publisher gives next within the same millisecond. */
export function nextUlids(id: string, count: number): string[] {
  const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const number = id.split("").reduce((sum, digit) => sum * 32n + BigInt(alphabet.indexOf(digit)), 0n);
  return Array.from({ length: count }, (_, index) => {
    let rest = number + BigInt(index + 1);
    let text = "";
    for (; text.length < 26; rest /= 32n) text = alphabet.charAt(Number(rest % 32n)) + text;
    return text;
  });
}

/** A message file's name, well-formed. */
export function messageName(priority = 5, order = ulid()): string {
  return `${priority}-${order}-${names.random(26)}.json`;
}

/** An envelope that is right in everything but what is said otherwise. */
export function envelope(source: string, topic: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  const time = new Date().toISOString();
  return { specversion: "1.0", id: ulid(), source: `/agents/${source}`, type: topic, time, topic, ...more };
}

/** Writes a file as a publisher without agentbus does, and links it into a drop box. @returns where it is */
export function post(spool: string, user: string, text: string | Buffer, targetPath: string): string {
  const draft = join(spool, "outbox", user, `.${randomBytes(8).toString("hex")}`);
  fs.writeFileSync(draft, text, { flag: "wx" });
  fs.chmodSync(draft, 0o640);
  fs.linkSync(draft, targetPath);
  fs.unlinkSync(draft);
  return targetPath;
}

const leases: ChildProcess[] = [];

/** Takes a write lease (fcntl(2), F_SETLEASE), which Node cannot: whoever opens the file waits for up to 45 seconds. */
export async function lease(path: string): Promise<void> {
  const code = `import fcntl, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = open(sys.argv[1], "r+")
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
signal.pause()`;
  const python = fs.existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3";
  const holder = spawn(python, ["-c", code, path], { stdio: ["ignore", "pipe", "inherit"] });
  leases.push(holder);
  await new Promise<void>((resolve, reject) => {
    holder.stdout.once("data", () => resolve());
    holder.once("exit", (exitCode) => reject(new Error(`no lease: ${exitCode}`)));
  });
}

export async function endLeases(): Promise<void> {
  for (const holder of leases.splice(0)) {
    const ended = once(holder, "exit");
    holder.kill("SIGKILL");
    await ended;
  }
}

/** Makes a durable subscription as a program without agentbus does. @param record what its record says, beyond the usual @returns its directory */
export function makeSubscription(spool: string, user: string, name: string, record: object = {}): string {
  const dir = `${spool}/subscriptions/${user}~${name}`;
  const hidden = `${spool}/subscriptions/.new-${name}`;
  const make = (path: string, mode: number) => {
    fs.mkdirSync(path);
    fs.chmodSync(path, mode);
  };
  make(hidden, 0o2750);
  make(`${hidden}/new`, 0o3770);
  for (const part of ["cur", "retry", "dead"]) make(`${hidden}/${part}`, 0o700);
  const createdAt = new Date().toISOString();
  const whole = { layout: 1, kind: "durable", user, name, patterns: ["**"], createdAt, ...record };
  fs.writeFileSync(`${hidden}/subscription.json`, JSON.stringify(whole));
  fs.chmodSync(`${hidden}/subscription.json`, 0o640);
  fs.renameSync(hidden, dir);
  return dir;
}

/** How the kernel refuses: its errno, or "allowed". */
export function attempt(action: () => unknown): string {
  try {
    action();
    return "allowed";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
