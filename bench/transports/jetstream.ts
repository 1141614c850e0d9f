import { AckPolicy, jetstream, jetstreamManager, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { connectNats, missingNats, startJetStream } from "../servers/nats-server.js";
import { textOf, TOPIC, type BenchEnvelope } from "../envelope.js";
import type { Place, Transport } from "./transport.js";

const STREAM = "bench";
/** Messages that a consumer asks for ahead, and may have unacknowledged. */
const AHEAD = 5_000;

/** NATS with a stream in files, and a durable pull consumer for each subscription. */
export const jetStream: Transport = {
  name: "jetstream",
  description:
    "NATS JetStream, file storage, every message acknowledged to its publisher; durable pull consumers, explicit acknowledgement, over TCP; on the disk: sync_interval always",
  durability: "process",
  keepsOrder: true,
  acknowledges: true,
  fansOut: true,
  reachesDisk: true,

  missing: missingNats,

  async start(place, leftovers) {
    const started = await startJetStream(place, leftovers);
    try {
      await makeStream(place);
    } catch (error) {
      await started.stop();
      throw error;
    }
    return started;
  },

  async receive(place, onEnvelope, subscription) {
    const connection = await connectNats(place);
    const manager = await jetstreamManager(connection);
    const name = `consumer-${subscription}`;
    await manager.consumers.add(STREAM, {
      durable_name: name,
      ack_policy: AckPolicy.Explicit,
      max_ack_pending: AHEAD,
    });
    const consumer = await jetstream(connection).consumers.get(STREAM, name);
    const messages = await consumer.consume({
      max_messages: AHEAD,
      callback: (message) => {
        onEnvelope(message.json<BenchEnvelope>());
        message.ack();
      },
    });
    return {
      close: async () => {
        messages.stop();
        await connection.close();
      },
    };
  },

  async send(place) {
    const connection = await connectNats(place);
    const client = jetstream(connection, { timeout: 30_000 });
    return {
      send: (payload) => client.publish(TOPIC, textOf(payload)),
      close: () => connection.drain(),
    };
  },
};

async function makeStream(place: Place): Promise<void> {
  const connection = await connectNats(place);
  try {
    const manager = await jetstreamManager(connection);
    await manager.streams.add({
      name: STREAM,
      subjects: [TOPIC],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
    });
  } finally {
    await connection.close();
  }
}
