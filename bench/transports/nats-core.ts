import { connectNats, missingNats, startNats } from "../servers/nats-server.js";
import { envelopeOf, textOf, TOPIC, type BenchEnvelope } from "../envelope.js";
import type { Transport } from "./transport.js";

const QUESTIONS = "bench.questions";

/** NATS without JetStream: at most once, to whoever is there. */
export const natsCore: Transport = {
  name: "nats-core",
  description: "NATS publish and subscribe with a callback, over TCP; accepted once a flush has come back",
  durability: "nothing",
  keepsOrder: true,
  acknowledges: true,
  fansOut: true,
  reachesDisk: false,

  missing: missingNats,
  start: startNats,

  async receive(place, onEnvelope) {
    const connection = await connectNats(place);
    connection.subscribe(TOPIC, { callback: (_, message) => onEnvelope(message.json<BenchEnvelope>()) });
    await connection.flush();
    return { close: () => connection.close() };
  },

  async send(place) {
    const connection = await connectNats(place);
    return {
      send: (payload) => connection.publish(TOPIC, textOf(payload)),
      flush: () => connection.flush(),
      close: () => connection.drain(),
    };
  },

  async respond(place) {
    const connection = await connectNats(place);
    connection.subscribe(QUESTIONS, {
      callback: (_, message) => void message.respond(JSON.stringify(envelopeOf(message.json<BenchEnvelope>().data))),
    });
    await connection.flush();
    return { close: () => connection.close() };
  },

  async request(place) {
    const connection = await connectNats(place);
    return {
      request: async (payload) =>
        (await connection.request(QUESTIONS, textOf(payload), { timeout: 30_000 })).json<BenchEnvelope>().data,
      close: () => connection.close(),
    };
  },
};
