import type { Transport } from "./transport.js";

/** Every transport, loaded only where it is used: an end's process holds nothing of the others. */
const TRANSPORTS = {
  spool: async () => (await import("./spool.js")).spool,
  socket: async () => (await import("./socket.js")).socket,
  pipe: async () => (await import("./pipe.js")).pipe,
  "raw-socket": async () => (await import("./raw-socket.js")).rawSocket,
  "redis-pubsub": async () => (await import("./redis-pubsub.js")).redisPubSub,
  "redis-pubsub-unix": async () => (await import("./redis-pubsub.js")).redisPubSubUnix,
  "redis-streams": async () => (await import("./redis-streams.js")).redisStreams,
  "nats-core": async () => (await import("./nats-core.js")).natsCore,
  jetstream: async () => (await import("./jetstream.js")).jetStream,
  mosquitto: async () => (await import("./mosquitto.js")).mosquitto,
  bullmq: async () => (await import("./bullmq.js")).bullMq,
  "sqlite-queue": async () => (await import("./sqlite-queue.js")).sqliteQueue,
  "node-ipc": async () => (await import("./node-ipc.js")).nodeIpc,
  "naive-spool": async () => (await import("./naive-spool.js")).naiveSpool,
  // Loses messages, to show that this is noticed; takes part only where it is asked for.
  lossy: async () => (await import("./lossy.js")).lossy,
} satisfies Record<string, () => Promise<Transport>>;

export type TransportName = keyof typeof TRANSPORTS;

/** Those that are measured unless somebody says which. */
export const PEER_NAMES = (Object.keys(TRANSPORTS) as TransportName[]).filter((name) => name !== "lossy");

export function isTransportName(name: string): name is TransportName {
  return Object.hasOwn(TRANSPORTS, name);
}

export function loadTransport(name: TransportName): Promise<Transport> {
  return TRANSPORTS[name]();
}
