import { Queue, Worker } from "bullmq";
import { missingRedis, redisSocket, startRedis } from "../servers/redis-server.js";
import { envelopeOf, type BenchEnvelope } from "../envelope.js";
import type { Transport } from "./transport.js";

const NAME = "bench";

/** A queue of jobs on Redis: one worker takes each, which it counts as done. */
export const bullMq: Transport = {
  name: "bullmq",
  description:
    "BullMQ, a queue and a worker with concurrency 1, finished jobs removed; ioredis over a Unix socket; nothing saved; on the disk: appendfsync always",
  durability: "memory",
  keepsOrder: true,
  acknowledges: true,
  fansOut: false,
  reachesDisk: true,

  missing: missingRedis,
  start: startRedis,

  async receive({ dir }, onEnvelope) {
    const worker = new Worker<BenchEnvelope>(NAME, async ({ data }) => onEnvelope(data), {
      connection: { path: redisSocket(dir), maxRetriesPerRequest: null },
      concurrency: 1,
    });
    // Without a listener a lost connection ends the process; the serials tell what it cost.
    worker.on("error", () => undefined);
    await worker.waitUntilReady();
    return { close: () => worker.close(true) };
  },

  async send({ dir }) {
    const queue = new Queue<BenchEnvelope>(NAME, {
      connection: { path: redisSocket(dir) },
      defaultJobOptions: { removeOnComplete: true },
    });
    await queue.waitUntilReady();
    return {
      send: (payload) => queue.add(NAME, envelopeOf(payload)),
      close: () => queue.close(),
    };
  },
};
