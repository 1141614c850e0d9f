import type { Redis } from "ioredis";
import { connectRedis, missingRedis, startRedis } from "../servers/redis-server.js";
import { parseEnvelope, textOf, TOPIC } from "../envelope.js";
import type { OnEnvelope, Transport } from "./transport.js";

/** A stream's entries as XREADGROUP gives them. */
type Reply = readonly (readonly [
  key: string,
  entries: readonly (readonly [id: string, fields: readonly string[]])[],
])[];

/** Entries that are read, and then acknowledged, at once. */
const BATCH = 1_000;

/** Redis Streams with a consumer group for each subscription. What is acknowledged stays in the stream, which is the faster way. */
export const redisStreams: Transport = {
  name: "redis-streams",
  description:
    "Redis XADD, XREADGROUP and XACK, a group for each subscription, ioredis over a Unix socket; nothing saved; on the disk: appendfsync always",
  durability: "memory",
  keepsOrder: true,
  acknowledges: true,
  fansOut: true,
  reachesDisk: true,

  missing: missingRedis,
  start: startRedis,

  async receive(place, onEnvelope, subscription) {
    // Blocking reads have a connection of their own, and what follows them on it waits.
    const redis = connectRedis(place);
    const group = `group-${subscription}`;
    await redis.xgroup("CREATE", TOPIC, group, "$", "MKSTREAM");
    const reading = readAll(redis, group, onEnvelope);
    return {
      close: async () => {
        redis.disconnect();
        await reading;
      },
    };
  },

  async send(place) {
    const redis = connectRedis(place);
    await redis.ping();
    return {
      send: (payload) => redis.xadd(TOPIC, "*", "e", textOf(payload)),
      close: async () => void (await redis.quit()),
    };
  },
};

/** The acknowledgements go out with the next read, on the same connection, so they cost no turn of their own. */
async function readAll(redis: Redis, group: string, onEnvelope: OnEnvelope): Promise<void> {
  try {
    for (;;) {
      const reply = await redis.xreadgroup("GROUP", group, "1", "COUNT", BATCH, "BLOCK", 0, "STREAMS", TOPIC, ">");
      const entries = (reply as Reply | null)?.[0]?.[1] ?? [];
      for (const [, fields] of entries) onEnvelope(parseEnvelope(fields[1] ?? ""));
      redis.xack(TOPIC, group, ...entries.map(([id]) => id)).catch(() => undefined);
    }
  } catch {
    return; // disconnected: it is closing, or the serials tell
  }
}
