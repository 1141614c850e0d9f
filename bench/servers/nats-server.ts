import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { Leftovers } from "../leftovers.js";
import type { Place, Started } from "../transports/transport.js";
import { findProgram, missingProgram } from "./programs.js";
import { notedPort, notePort, startServer } from "./server-process.js";

/** Room for the largest messages, and for subscribers that are behind: 8 MiB, and 1 GiB. */
const LIMITS = ["max_payload: 8388608", "max_pending: 1073741824"];
/** The first version that can be told when to sync. */
const SYNC_INTERVAL_SINCE = [2, 10] as const;

export const missingNats = async (): Promise<string | undefined> => missingProgram("nats-server");

export async function startNats({ dir }: Place, leftovers: Leftovers): Promise<Started> {
  return { stop: await start(dir, [], leftovers) };
}

/** With JetStream, its files in the directory. */
export async function startJetStream({ dir, isDurable }: Place, leftovers: Leftovers): Promise<Started> {
  const version = serverVersion();
  const canSync = isAtLeast(version, SYNC_INTERVAL_SINCE);
  const sync = isDurable && canSync ? ", sync_interval: always" : "";
  const stop = await start(dir, [`jetstream { store_dir: "${dir}/store"${sync} }`], leftovers);
  if (!isDurable || canSync) return { stop };
  const note = `nats-server ${version} has no sync_interval (since ${SYNC_INTERVAL_SINCE.join(".")}): it syncs every two minutes, so this is more than it could reach`;
  return { stop, note, durability: "process" };
}

export function connectNats({ dir }: Place): Promise<NatsConnection> {
  return connect({ servers: `127.0.0.1:${notedPort(dir)}` });
}

async function start(dir: string, more: readonly string[], leftovers: Leftovers): Promise<() => Promise<void>> {
  const port = await notePort(dir);
  writeFileSync(`${dir}/nats.conf`, [`listen: "127.0.0.1:${port}"`, ...LIMITS, ...more, ""].join("\n"));
  return startServer({ program: "nats-server", args: ["-c", `${dir}/nats.conf`], address: port, dir }, leftovers);
}

/** @returns such as "2.9.10" */
function serverVersion(): string {
  const said = execFileSync(findProgram("nats-server") ?? "nats-server", ["--version"], { encoding: "utf8" });
  return /\d+\.\d+\.\d+/.exec(said)?.[0] ?? "0.0.0";
}

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split(".").map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}
