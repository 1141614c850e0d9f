import { connectRedis, missingRedis, startRedis } from "../servers/redis-server.js";
import { parseEnvelope, textOf, TOPIC } from "../envelope.js";
import type { Transport } from "./transport.js";

/** By TCP, like the other servers, and as Redis comes. */
export const redisPubSub = redisPubSubBy("tcp", "redis-pubsub", "Redis PUBLISH/SUBSCRIBE, ioredis over TCP");
/** By a Unix socket, which somebody has to configure. */
export const redisPubSubUnix = redisPubSubBy(
  "unix",
  "redis-pubsub-unix",
  "Redis PUBLISH/SUBSCRIBE, ioredis over a Unix socket",
);

/** Redis's PUBLISH and SUBSCRIBE: who is not connected gets nothing. */
function redisPubSubBy(by: "tcp" | "unix", name: string, description: string): Transport {
  return {
    name,
    description,
    durability: "nothing",
    keepsOrder: true,
    acknowledges: true,
    fansOut: true,
    reachesDisk: false,

    missing: missingRedis,
    start: startRedis,

    async receive(place, onEnvelope) {
      const redis = connectRedis(place, by);
      redis.on("message", (_channel: string, text: string) => onEnvelope(parseEnvelope(text)));
      await redis.subscribe(TOPIC);
      return { close: async () => redis.disconnect() };
    },

    async send(place) {
      const redis = connectRedis(place, by);
      await redis.ping();
      return {
        send: (payload) => redis.publish(TOPIC, textOf(payload)),
        close: async () => void (await redis.quit()),
      };
    },
  };
}
