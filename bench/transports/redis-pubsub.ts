import { connectRedis, missingRedis, startRedis } from "../servers/redis-server.js";
import { parseEnvelope, textOf, TOPIC } from "../envelope.js";
import type { Transport } from "./transport.js";

/** Redis's PUBLISH and SUBSCRIBE: who is not connected gets nothing. */
export const redisPubSub: Transport = {
  name: "redis-pubsub",
  description: "Redis PUBLISH/SUBSCRIBE, ioredis over a Unix socket",
  durability: "nothing",
  keepsOrder: true,
  acknowledges: true,
  fansOut: true,
  reachesDisk: false,

  missing: missingRedis,
  start: startRedis,

  async receive(place, onEnvelope) {
    const redis = connectRedis(place);
    redis.on("message", (_channel: string, text: string) => onEnvelope(parseEnvelope(text)));
    await redis.subscribe(TOPIC);
    return { close: async () => redis.disconnect() };
  },

  async send(place) {
    const redis = connectRedis(place);
    await redis.ping();
    return {
      send: (payload) => redis.publish(TOPIC, textOf(payload)),
      close: async () => void (await redis.quit()),
    };
  },
};
