import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection, createServer, type AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Leftovers } from "../leftovers.js";
import { findProgram } from "./programs.js";

export interface ServerCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** Where it is up once somebody listens: a Unix socket's path, or a port of the loopback. */
  readonly address: string | number;
  /** Its own, which takes what it writes. */
  readonly dir: string;
}

/** How long a server may take to listen, in milliseconds. */
const STARTS_WITHIN_MS = 15_000;

/** @returns what stops it: at once, for the directory goes too */
export async function startServer(command: ServerCommand, leftovers: Leftovers): Promise<() => Promise<void>> {
  const { program, args, address, dir } = command;
  const logPath = `${dir}/server.log`;
  const log = openSync(logPath, "a");
  const child = spawn(findProgram(program) ?? program, args, { cwd: dir, stdio: ["ignore", log, log] });
  closeSync(log);
  leftovers.addProcess(child);
  const ended = once(child, "exit");
  for (const deadline = performance.now() + STARTS_WITHIN_MS; !(await isListening(address));) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`${program} ${args.join(" ")} does not listen:\n${readFileSync(logPath, "utf8")}`);
    }
    await delay(5);
  }
  return async () => {
    child.kill("SIGKILL");
    await ended;
  };
}

/** A port of the loopback that nobody has at the moment. It is noted in the directory, for the ends. */
export async function notePort(dir: string): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  writeFileSync(`${dir}/port`, String(port));
  return port;
}

export function notedPort(dir: string): number {
  return Number(readFileSync(`${dir}/port`, "utf8"));
}

async function isListening(address: string | number): Promise<boolean> {
  const socket = typeof address === "string" ? createConnection(address) : createConnection(address, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
