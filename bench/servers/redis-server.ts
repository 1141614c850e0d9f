import { Redis } from "ioredis";
import type { Leftovers } from "../leftovers.js";
import type { Place, Started } from "../transports/transport.js";
import { missingProgram } from "./programs.js";
import { notedPort, notePort, startServer } from "./server-process.js";

/** Nothing is saved unless it has to be on the disk, and nobody is cut off for being slow: both would only slow it down. */
const ARGS = [
  "--bind",
  "127.0.0.1",
  "--save",
  "",
  "--client-output-buffer-limit",
  "pubsub 0 0 0",
  "--loglevel",
  "warning",
];

export const missingRedis = async (): Promise<string | undefined> => missingProgram("redis-server");

/** Listens on a port of the loopback, as it does unless it is told otherwise, and on a Unix socket. */
export async function startRedis({ dir, isDurable }: Place, leftovers: Leftovers): Promise<Started> {
  const durable = isDurable ? ["--appendonly", "yes", "--appendfsync", "always"] : [];
  const port = String(await notePort(dir));
  const args = [...ARGS, "--port", port, "--unixsocket", redisSocket(dir), "--dir", dir, ...durable];
  return { stop: await startServer({ program: "redis-server", args, address: redisSocket(dir), dir }, leftovers) };
}

export function redisSocket(dir: string): string {
  return `${dir}/redis`;
}

/**
 * By its Unix socket, which has to be configured and is the faster way; or by TCP, as most clients do.
 *
 * Without ioredis's automatic pipelining: it writes the commands of a tick together anyway, and is a quarter faster.
 */
export function connectRedis({ dir }: Place, by: "unix" | "tcp" = "unix"): Redis {
  return by === "unix" ? new Redis({ path: redisSocket(dir) }) : new Redis({ host: "127.0.0.1", port: notedPort(dir) });
}
