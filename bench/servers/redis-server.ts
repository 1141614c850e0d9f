import { Redis } from "ioredis";
import type { Leftovers } from "../leftovers.js";
import type { Place, Started } from "../transports/transport.js";
import { missingProgram } from "./programs.js";
import { startServer } from "./server-process.js";

/**
 * A Unix socket, which is the faster way to Redis on one machine. Nothing is saved unless it has to be on the disk, and nobody is
 * cut off for being slow: both would only slow it down.
 */
const ARGS = ["--port", "0", "--save", "", "--client-output-buffer-limit", "pubsub 0 0 0", "--loglevel", "warning"];

export const missingRedis = async (): Promise<string | undefined> => missingProgram("redis-server");

export async function startRedis({ dir, isDurable }: Place, leftovers: Leftovers): Promise<Started> {
  const durable = isDurable ? ["--appendonly", "yes", "--appendfsync", "always"] : [];
  const args = [...ARGS, "--unixsocket", redisSocket(dir), "--dir", dir, ...durable];
  return { stop: await startServer({ program: "redis-server", args, address: redisSocket(dir), dir }, leftovers) };
}

export function redisSocket(dir: string): string {
  return `${dir}/redis`;
}

/** Without ioredis's automatic pipelining: it writes the commands of a tick together anyway, and is a quarter faster. */
export function connectRedis({ dir }: Place): Redis {
  return new Redis({ path: redisSocket(dir) });
}
